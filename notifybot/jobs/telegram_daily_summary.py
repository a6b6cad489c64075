"""Each reader gets their summary at their time, and a picture with it where Pillow is there to draw it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot import announcements, charts, summaries, summary_plans, summary_texts
from notifybot.announcements import Announcement
from notifybot.charts import Chart
from notifybot.config import Config
from notifybot.due_rows import DueRow
from notifybot.errors import NotifybotError, Unavailable
from notifybot.jobs import schedules
from notifybot.jobs.reasons import reason_of
from notifybot.jobs.rows import MOST_PUT_OFF, Spoiled, put_off
from notifybot.new_messages import Extras
from notifybot.recipients import Directory
from notifybot.rendering import Look, MediaKind, NewFile
from notifybot.runtime import Runtime
from notifybot.summary_facts import Facts, Period
from notifybot.summary_plans import SUMMARIES, Turn, Usual
from notifybot.summary_texts import Setting
from notifybot.wall_clock import Daily

NAME = "telegram_daily_summary"
A_LOOK = 500
"""So many readers share a look at what happened."""
A_TRANSACTION = 50
"""So many share a commit."""
log = logging.getLogger(__name__)

next_due = SUMMARIES.next_at


async def tick(runtime: Runtime, now: datetime) -> int:
    """Send what is due, as it was planned, and then plan what has changed; return how many summaries that was.

    What was to be sent before is released first, whichever job beats first: no later summary would count it.
    """
    await schedules.tick(runtime, now)
    telling = _Telling(runtime, now)
    while turns := await runtime.database.read(partial(summary_plans.due, now=now, most=A_LOOK)):
        await telling.tell(turns)
    await _arrange(runtime, now)
    return telling.told


async def by_hand(runtime: Runtime, now: datetime) -> int:
    """Send everybody a summary of the last day, marked so; plans stay as they are."""
    await _arrange(runtime, now)
    telling = _Telling(runtime, now)
    turns = await runtime.database.read(partial(summary_plans.on_request, now=now))
    for some in _pieces_of(turns, A_LOOK):
        await telling.tell_together(some)
    return telling.told


async def _arrange(runtime: Runtime, now: datetime) -> None:
    find = partial(summary_plans.outdated, usual=_usual(runtime.config), now=now, most=A_TRANSACTION)
    while wants := await runtime.database.read(find):
        await runtime.database.write(partial(summary_plans.arrange, wants=wants, now=now))


def _usual(config: Config) -> Usual:
    return Usual(Daily(config.summary.time, config.summary.time_zone), config.summary.to)


@dataclass
class _Telling:
    """The summaries of one tick. `left`: so many more may be put off; where all fail, it is hardly theirs."""

    runtime: Runtime
    now: datetime
    left: int = MOST_PUT_OFF
    told: int = 0
    drawn: dict[Chart, tuple[NewFile, ...]] = field(default_factory=dict)
    """Empty where it could not be drawn, or kept."""

    async def tell(self, turns: Sequence[Turn]) -> None:
        """Send these summaries; one that cannot be made is looked for, put off, and holds up no other."""
        try:
            await self.tell_together(turns)
        except Exception as error:
            if self.runtime.database.keeps_nothing(error) or self.left == 0:
                raise
            if len(turns) == 1:
                self.left -= 1
                await put_off(self.runtime, NAME, SUMMARIES, _blamed(turns[0], error), now=self.now)
                return
            for half in _pieces_of(turns, (len(turns) + 1) // 2):
                await self.tell(half)

    async def tell_together(self, turns: Sequence[Turn]) -> None:
        """Send these summaries, in transactions short enough to let callers through.

        What was accepted before is committed before anybody counts it: no later summary would.
        """
        await self.runtime.database.write(lambda _: None)
        facts = {reader: each async for reader, each in self._look_up(turns)}
        for some in _pieces_of(turns, A_TRANSACTION):
            written = [_Written(turn, await self._announcement(turn, facts[turn.reader])) for turn in some]
            work = partial(_tell, written=written, now=self.now, directory=self.runtime.directory)
            self.told += await self.runtime.database.write(work)

    async def _look_up(self, turns: Sequence[Turn]) -> AsyncIterator[tuple[str, Facts]]:
        """What each reader is told; those of one period are looked up together."""
        for period, group in _by_period(turns).items():
            people = [turn.user_id for turn in group if turn.user_id is not None]
            found = await self._facts(people, period) if people else {}
            if len(people) < len(group):
                found |= await self._facts(None, period)
            for turn in group:
                yield turn.reader, found[turn.user_id or summaries.EVERYTHING]

    async def _facts(self, people: list[str] | None, period: Period) -> dict[str, Facts]:
        look = partial(summaries.facts, readers=people, period=period, with_arrivals=self._has_chart)
        return await self.runtime.database.read(look)

    @property
    def _has_chart(self) -> bool:
        return self.runtime.config.summary.chart and charts.can_draw()

    async def _announcement(self, turn: Turn, facts: Facts) -> Announcement | None:
        """None: nothing is said, because the reader has muted it, or because there is nothing to say."""
        setting = Setting(turn.daily.zone, turn.account, is_manual=turn.planned_at is None)
        if turn.is_muted or (facts.is_empty and not self.runtime.config.summary.when_empty):
            return None
        if facts.is_empty:
            return _announcement(turn, summary_texts.nothing(facts, setting))
        files = await self._pictures(turn, facts)
        return _announcement(turn, summary_texts.text(facts, setting), summary_texts.title(facts, setting), files)

    async def _pictures(self, turn: Turn, facts: Facts) -> tuple[NewFile, ...]:
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
        content = await asyncio.to_thread(charts.draw, chart)
        stored = await self.runtime.files.store.receive(_pieces(content))
        return NewFile(MediaKind.PHOTO, name, sha256=stored.sha256, size=stored.size, media_type=stored.media_type)


@dataclass(frozen=True)
class _Written:
    """A summary that is ready to go. None: nothing is said this time."""

    turn: Turn
    announcement: Announcement | None


def _blamed(turn: Turn, error: Exception) -> Spoiled:
    assert turn.planned_at is not None
    spoiled = Spoiled(DueRow(turn.reader, turn.planned_at))
    spoiled.__cause__ = error.__cause__ if isinstance(error, Unavailable) else error
    return spoiled


def _by_period(turns: Sequence[Turn]) -> Mapping[Period, list[Turn]]:
    groups: dict[Period, list[Turn]] = {}
    for turn in turns:
        groups.setdefault(turn.period, []).append(turn)
    return groups


def _pieces_of(turns: Sequence[Turn], size: int) -> Iterator[Sequence[Turn]]:
    for start in range(0, len(turns), size):
        yield turns[start : start + size]


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _announcement(turn: Turn, content: str, title: str | None = None, files: tuple[NewFile, ...] = ()) -> Announcement:
    """Who chose the time is not kept waiting by quiet hours; those of the config did not."""
    extras = Extras(look=Look(type="image" if files else "text"), files=files, is_awaited=turn.user_id is not None)
    return Announcement((turn.recipient,), announcements.DAILY_SUMMARY, content, title, extras)


def _tell(session: Session, *, written: Sequence[_Written], directory: Directory, now: datetime) -> int:
    """Use up the dates and accept the messages, both or neither; a date that was used up meanwhile is left out."""
    return sum(_tell_one(session, each, directory, now=now) for each in written)


def _tell_one(session: Session, written: _Written, directory: Directory, *, now: datetime) -> int:
    turn, announcement = written.turn, written.announcement
    if turn.planned_at is not None and not summary_plans.take(session, turn, now=now):
        return 0
    if announcement is None:
        return 0
    answer = announcements.announce(session, announcement, directory, now=now)
    if isinstance(answer, NotifybotError):
        log.warning(
            "a summary reaches nobody", extra={"action": "summary", "reader": turn.reader, "reason": answer.detail}
        )
        return 0
    return 1
