"""Each reader gets their summary at their time, and a picture with it where Pillow is there to draw it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from notifybot.config.model import Config
from notifybot.errors import NotifybotError, Unavailable
from notifybot.jobs import schedules
from notifybot.jobs.batches import MAX_PUT_OFF, PoisonRow, put_off
from notifybot.jobs.failures import reason_of
from notifybot.messages.announce import Announcement
from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import NewFile
from notifybot.runtime import Runtime
from notifybot.storage.due import DueRow
from notifybot.summaries import chart as summaries_chart
from notifybot.summaries import collect, plan, text
from notifybot.summaries.chart import Chart
from notifybot.summaries.facts import Period, SummaryFacts
from notifybot.summaries.plan import SUMMARIES, DueSummary, SummaryDefaults
from notifybot.summaries.send import ReadySummary, announcement_of, send
from notifybot.summaries.text import Audience
from notifybot.times.wall_clock import Daily

log = logging.getLogger(__name__)

NAME = "telegram_daily_summary"
READERS_A_QUERY = 500
"""So many readers share a look at what happened."""
SUMMARIES_A_COMMIT = 50
"""So many share a commit."""

next_due = SUMMARIES.next_at


async def run(runtime: Runtime, now: datetime) -> int:
    """Send what is due, as it was planned, and then plan what has changed; return how many summaries that was.

    What was to be sent before is released first, whichever job beats first: no later summary would count it.
    """
    await schedules.run(runtime, now)
    telling = _Sending(runtime, now)
    while turns := await runtime.database.read(partial(plan.due, now=now, most=READERS_A_QUERY)):
        await telling.tell(turns)
    await _update_plans(runtime, now)
    return telling.told


async def run_now(runtime: Runtime, now: datetime) -> int:
    """Send everybody a summary of the last day, marked so; plans stay as they are."""
    await _update_plans(runtime, now)
    telling = _Sending(runtime, now)
    turns = await runtime.database.read(partial(plan.on_request, now=now))
    for some in _chunks(turns, READERS_A_QUERY):
        await telling.tell_together(some)
    return telling.told


async def _update_plans(runtime: Runtime, now: datetime) -> None:
    find = partial(plan.outdated, usual=_defaults(runtime.config), now=now, most=SUMMARIES_A_COMMIT)
    while wants := await runtime.database.read(find):
        await runtime.database.write(partial(plan.save_plans, wants=wants, now=now))


def _defaults(config: Config) -> SummaryDefaults:
    return SummaryDefaults(Daily(config.summary.time, config.summary.time_zone), config.summary.to)


@dataclass
class _Sending:
    """The summaries of one tick. `left`: so many more may be put off; where all fail, it is hardly theirs."""

    runtime: Runtime
    now: datetime
    left: int = MAX_PUT_OFF
    told: int = 0
    drawn: dict[Chart, tuple[NewFile, ...]] = field(default_factory=dict)
    """Empty where it could not be drawn, or kept."""

    async def tell(self, turns: Sequence[DueSummary]) -> None:
        """Send these summaries; one that cannot be made is looked for, put off, and holds up no other."""
        try:
            await self.tell_together(turns)
        except Exception as error:
            if self.runtime.database.is_down(error) or self.left == 0:
                raise
            if len(turns) == 1:
                self.left -= 1
                await put_off(self.runtime, NAME, SUMMARIES, _poison_row(turns[0], error), now=self.now)
                return
            for half in _chunks(turns, (len(turns) + 1) // 2):
                await self.tell(half)

    async def tell_together(self, turns: Sequence[DueSummary]) -> None:
        """Send these summaries, in transactions short enough to let callers through.

        What was accepted before is committed before anybody counts it: no later summary would.
        """
        await self.runtime.database.write(lambda _: None)
        facts = {reader: each async for reader, each in self._look_up(turns)}
        for some in _chunks(turns, SUMMARIES_A_COMMIT):
            written = [ReadySummary(turn, await self._announcement(turn, facts[turn.reader])) for turn in some]
            work = partial(send, written=written, now=self.now, directory=self.runtime.directory)
            self.told += await self.runtime.database.write(work)

    async def _look_up(self, turns: Sequence[DueSummary]) -> AsyncIterator[tuple[str, SummaryFacts]]:
        """What each reader is told; those of one period are looked up together."""
        for period, group in _by_period(turns).items():
            people = [turn.user_id for turn in group if turn.user_id is not None]
            found = await self._facts(people, period) if people else {}
            if len(people) < len(group):
                found |= await self._facts(None, period)
            for turn in group:
                yield turn.reader, found[turn.user_id or collect.EVERYTHING]

    async def _facts(self, people: list[str] | None, period: Period) -> dict[str, SummaryFacts]:
        look = partial(collect.collect, readers=people, period=period, with_arrivals=self._has_chart)
        return await self.runtime.database.read(look)

    @property
    def _has_chart(self) -> bool:
        return self.runtime.config.summary.chart and summaries_chart.can_draw()

    async def _announcement(self, turn: DueSummary, facts: SummaryFacts) -> Announcement | None:
        """None: nothing is said, because the reader has muted it, or because there is nothing to say."""
        setting = Audience(turn.daily.zone, turn.account, is_manual=turn.planned_at is None)
        if turn.is_muted or (facts.is_empty and not self.runtime.config.summary.when_empty):
            return None
        if facts.is_empty:
            return announcement_of(turn, text.nothing_to_report(facts, setting))
        files = await self._pictures(turn, facts)
        return announcement_of(turn, text.body(facts, setting), text.title(facts, setting), files)

    async def _pictures(self, turn: DueSummary, facts: SummaryFacts) -> tuple[NewFile, ...]:
        """The chart, in our store; none where it cannot be drawn, or kept, for whatever reason: the text says all."""
        if not self._has_chart:
            return ()
        chart = Chart.of(facts, turn.daily.zone)
        if chart not in self.drawn:
            try:
                self.drawn[chart] = (await self._draw(chart, f"summary-{turn.day.isoformat()}.png"),)
            except Exception as error:  # noqa: BLE001 - it is logged, and the text says all
                self._note_undrawn(error)
                self.drawn[chart] = ()
        return self.drawn[chart]

    def _note_undrawn(self, error: Exception) -> None:
        """Once in a tick: what is in the way of one picture is mostly in the way of all."""
        if () in self.drawn.values():
            return
        unexpected = None if isinstance(error, NotifybotError) else error
        facts = {"action": "summary", "reason": reason_of(error)}
        log.warning("summaries go without their charts", exc_info=unexpected, extra=facts)

    async def _draw(self, chart: Chart, name: str) -> NewFile:
        content = await asyncio.to_thread(summaries_chart.draw, chart)
        stored = await self.runtime.files.store.receive(_stream(content))
        return NewFile(MediaKind.PHOTO, name, sha256=stored.sha256, size=stored.size, media_type=stored.media_type)


def _poison_row(turn: DueSummary, error: Exception) -> PoisonRow:
    assert turn.planned_at is not None
    spoiled = PoisonRow(DueRow(turn.reader, turn.planned_at))
    spoiled.__cause__ = error.__cause__ if isinstance(error, Unavailable) else error
    return spoiled


def _by_period(turns: Sequence[DueSummary]) -> Mapping[Period, list[DueSummary]]:
    groups: dict[Period, list[DueSummary]] = {}
    for turn in turns:
        groups.setdefault(turn.period, []).append(turn)
    return groups


def _chunks(turns: Sequence[DueSummary], size: int) -> Iterator[Sequence[DueSummary]]:
    for start in range(0, len(turns), size):
        yield turns[start : start + size]


async def _stream(content: bytes) -> AsyncIterator[bytes]:
    yield content
