"""Draw the chart of a daily summary with Pillow (extra `charts`)."""

import functools
import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from notifybot.summaries.facts import AN_HOUR, Bar, SummaryFacts, bars

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 960, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 84, 52
INK, FAINT, PAPER = "#24292f", "#d0d7de", "#ffffff"
ALERTS, NOTICES, BEFORE = "#d1242f", "#4c8eda", "#8c959f"
SMALL, MIDDLE, LARGE = 16, 18, 24
LINES = 4
"""So many lines stand behind the bars, but for the lowest."""


def can_draw() -> bool:
    """Whether Pillow is there."""
    return importlib.util.find_spec("PIL") is not None


@dataclass(frozen=True)
class Chart:
    """What a picture shows: two readers of whom it is the same get the same picture."""

    bars: tuple[Bar, ...]
    step: timedelta
    is_a_day: bool
    zone: str

    @staticmethod
    def of(facts: SummaryFacts, zone: str) -> "Chart":
        """What came in each hour (or day) of the period, beside the one before; times are those of the zone."""
        return Chart(bars(facts), facts.period.step, facts.period.is_a_day, zone)


def draw(chart: Chart) -> bytes:
    """Draw it as a PNG."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    canvas = _Canvas(ImageDraw.Draw(image), _scale(chart.bars), len(chart.bars))
    _head(canvas, chart)
    _lines(canvas)
    for place, bar in enumerate(chart.bars):
        _bar(canvas, place, bar)
    _hours(canvas, chart)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class _Canvas:
    """Where the bars are drawn. `top`: what the highest line stands for; `size`: how many bars there are."""

    draw: "ImageDraw"
    top: int
    size: int

    @property
    def step(self) -> float:
        return (WIDTH - LEFT - RIGHT) / self.size

    def x(self, place: float) -> float:
        return LEFT + place * self.step

    def y(self, count: float) -> float:
        floor = HEIGHT - BOTTOM
        return floor - count / self.top * (floor - TOP)

    def write(self, x: float, y: float, text: str, *, size: int, anchor: str, ink: str = INK) -> None:
        """The anchor is Pillow's: `ls` stands on the left of its baseline, `mt` hangs from its middle."""
        self.draw.text((x, y), text, fill=ink, font=_font(size), anchor=anchor)


@functools.cache
def _font(size: int) -> "FreeTypeFont | ImageFont":
    """The one that Pillow brings along."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _scale(shown: Sequence[Bar]) -> int:
    """What the highest line stands for: of few digits, in LINES whole steps, and not below the highest bar."""
    most = max((max(bar.alerts + bar.notices, bar.before) for bar in shown), default=0)
    step = next(step for step in _round_numbers() if LINES * step >= most)
    return LINES * step


def _round_numbers() -> Iterator[int]:
    """1, 2, 3, 4, 5, 6, 8, 10, 20, …"""
    power = 1
    while True:
        yield from (digit * power for digit in (1, 2, 3, 4, 5, 6, 8))
        power *= 10


def _head(canvas: _Canvas, chart: Chart) -> None:
    each = "hour" if chart.step == AN_HOUR else "day"
    before = "day" if chart.is_a_day else "time"
    canvas.write(LEFT, 34, f"Messages in each {each}", size=LARGE, anchor="ls")
    x = float(LEFT)
    for ink, text in ((ALERTS, "alerts"), (NOTICES, "notices"), (BEFORE, f"the {before} before")):
        canvas.draw.rectangle((x, 52, x + 12, 64), fill=ink)
        canvas.write(x + 20, 64, text, size=MIDDLE, anchor="ls")
        x += 44 + 10 * len(text)


def _lines(canvas: _Canvas) -> None:
    for number in range(LINES + 1):
        count = canvas.top * number // LINES
        y = canvas.y(count)
        canvas.draw.line((LEFT, y, WIDTH - RIGHT, y), fill=INK if number == 0 else FAINT)
        canvas.write(LEFT - 10, y, f"{count:,}".replace(",", " "), size=SMALL, anchor="rm")


def _bar(canvas: _Canvas, place: int, bar: Bar) -> None:
    """Alerts below, notices on top of them; a stroke where the period before stood.

    Of what there is little beside the rest, a line of one pixel is seen all the same.
    """
    left, right = canvas.x(place + 0.12), canvas.x(place + 0.88)
    count, lowest = 0, round(canvas.y(0)) - 1
    for more, ink in ((bar.alerts, ALERTS), (bar.notices, NOTICES)):
        if more:
            count += more
            highest = min(lowest, round(canvas.y(count)))
            canvas.draw.rectangle((left, highest, right, lowest), fill=ink)
            lowest = highest - 1
    if bar.before:
        y = canvas.y(bar.before)
        canvas.draw.rectangle((canvas.x(place + 0.02), y - 2, canvas.x(place + 0.98), y + 1), fill=BEFORE)


def _hours(canvas: _Canvas, chart: Chart) -> None:
    """What the clocks show as each third hour (each day, while they are few) begins."""
    form, apart = ("%H:%M", 3) if chart.step == AN_HOUR else ("%d.%m.", max(1, len(chart.bars) // 8))
    for place in range(0, len(chart.bars), apart):
        x, y = canvas.x(place), canvas.y(0)
        canvas.draw.line((x, y, x, y + 6), fill=INK)
        begin = chart.bars[place].begin.astimezone(ZoneInfo(chart.zone))
        canvas.write(x, y + 12, begin.strftime(form), size=SMALL, anchor="mt")
