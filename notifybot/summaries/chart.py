"""Draw the chart of a daily summary with Pillow (extra `charts`)."""

import functools
import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from notifybot.summaries.facts import HOUR, Bar, SummaryFacts, bars
from notifybot.times.zones import zone_of

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 960, 640
LEFT, RIGHT, TOP, BOTTOM = 96, 24, 132, 64
INK, FAINT, PAPER = "#24292f", "#d0d7de", "#ffffff"
ALERTS, NOTICES, BEFORE = "#d1242f", "#4c8eda", "#8c959f"
SMALL, MIDDLE, LARGE = 32, 32, 40
"""A phone shows the picture at about a third of its width: text of 32 pixels is 11 there."""
GRID_LINES = 4
"""Above the base line."""


def can_draw() -> bool:
    """Return True if Pillow is installed."""
    return importlib.util.find_spec("PIL") is not None


@dataclass(frozen=True)
class Chart:
    """The contents of a chart. Readers with equal contents share one picture."""

    bars: tuple[Bar, ...]
    step: timedelta
    is_a_day: bool
    zone: str

    @staticmethod
    def of(facts: SummaryFacts, zone: str) -> "Chart":
        """Chart the messages of each hour or day beside those of the period before, in this time zone."""
        return Chart(bars(facts), facts.period.step, facts.period.is_a_day, zone)


def draw(chart: Chart) -> bytes:
    """Return the chart as a PNG."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    canvas = _Canvas(ImageDraw.Draw(image), _scale(chart.bars), len(chart.bars))
    _draw_title(canvas, chart)
    _draw_grid(canvas)
    for index, bar in enumerate(chart.bars):
        _draw_bar(canvas, index, bar)
    _draw_times(canvas, chart)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class _Canvas:
    """The drawing area. `top`: the value of the highest grid line; `size`: the number of bars."""

    draw: "ImageDraw"
    top: int
    size: int

    @property
    def step(self) -> float:
        return (WIDTH - LEFT - RIGHT) / self.size

    def x(self, index: float) -> float:
        return LEFT + index * self.step

    def y(self, count: float) -> float:
        floor = HEIGHT - BOTTOM
        return floor - count / self.top * (floor - TOP)

    def write(self, x: float, y: float, text: str, *, size: int, anchor: str, ink: str = INK) -> None:
        """Write text at a point. The anchor is Pillow's: `ls` is left on the baseline, `mt` middle at the top."""
        self.draw.text((x, y), text, fill=ink, font=_font(size), anchor=anchor)


@functools.cache
def _font(size: int) -> "FreeTypeFont | ImageFont":
    """Load Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _scale(shown: Sequence[Bar]) -> int:
    """Return the value of the highest grid line: a round number, at least as high as the highest bar."""
    highest = max((max(bar.alerts + bar.notices, bar.before) for bar in shown), default=0)
    step = next(step for step in _round_numbers() if GRID_LINES * step >= highest)
    return GRID_LINES * step


def _round_numbers() -> Iterator[int]:
    """Yield 1, 2, 3, 4, 5, 6, 8, 10, 20, …"""
    power = 1
    while True:
        yield from (digit * power for digit in (1, 2, 3, 4, 5, 6, 8))
        power *= 10


def _draw_title(canvas: _Canvas, chart: Chart) -> None:
    each = "hour" if chart.step == HOUR else "day"
    before = "day" if chart.is_a_day else "time"
    canvas.write(LEFT, 46, f"Messages in each {each}", size=LARGE, anchor="ls")
    x = float(LEFT)
    for ink, text in ((ALERTS, "alerts"), (NOTICES, "notices"), (BEFORE, f"the {before} before")):
        canvas.draw.rectangle((x, 74, x + 22, 96), fill=ink)
        canvas.write(x + 34, 96, text, size=MIDDLE, anchor="ls")
        x += 70 + canvas.draw.textlength(text, font=_font(MIDDLE))


def _draw_grid(canvas: _Canvas) -> None:
    for number in range(GRID_LINES + 1):
        count = canvas.top * number // GRID_LINES
        y = canvas.y(count)
        canvas.draw.line((LEFT, y, WIDTH - RIGHT, y), fill=INK if number == 0 else FAINT)
        canvas.write(LEFT - 10, y, f"{count:,}".replace(",", " "), size=SMALL, anchor="rm")


def _draw_bar(canvas: _Canvas, index: int, bar: Bar) -> None:
    """Draw alerts, notices on top of them, and a stroke for the period before.

    Small counts get at least one pixel.
    """
    left, right = canvas.x(index + 0.12), canvas.x(index + 0.88)
    count, bottom = 0, round(canvas.y(0)) - 1
    for more, ink in ((bar.alerts, ALERTS), (bar.notices, NOTICES)):
        if more:
            count += more
            top = min(bottom, round(canvas.y(count)))
            canvas.draw.rectangle((left, top, right, bottom), fill=ink)
            bottom = top - 1
    if bar.before:
        y = canvas.y(bar.before)
        canvas.draw.rectangle((canvas.x(index + 0.02), y - 2, canvas.x(index + 0.98), y + 1), fill=BEFORE)


def _draw_times(canvas: _Canvas, chart: Chart) -> None:
    """Label every sixth hour, or at most six days."""
    zone = zone_of(chart.zone)
    begins = [bar.begin.astimezone(zone) for bar in chart.bars]
    is_hourly = chart.step == HOUR
    for index, begin in enumerate(begins):
        if begin.hour % 6 if is_hourly else index % -(-len(begins) // 6):
            continue
        x, y = canvas.x(index), canvas.y(0)
        canvas.draw.line((x, y, x, y + 8), fill=INK)
        canvas.write(x, y + 14, begin.strftime("%H:%M" if is_hourly else "%d.%m."), size=SMALL, anchor="mt")
