"""Compose daily summaries: look up the figures, write the text, draw the chart."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

from notifybot.config.model import Summary
from notifybot.errors import NotifybotError
from notifybot.files.store import FileStore
from notifybot.messages.announce import DAILY_SUMMARY, Announcement
from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile
from notifybot.storage.database import Database
from notifybot.summaries import chart as summaries_chart
from notifybot.summaries import collect, text
from notifybot.summaries.chart import Chart
from notifybot.summaries.facts import Period, SummaryFacts, has_course
from notifybot.summaries.plan import DueSummary
from notifybot.summaries.send import ReadySummary
from notifybot.summaries.text import Audience
from notifybot.system.logs import reason_of

log = logging.getLogger(__name__)


class Composer:
    """Composes the summaries of one run; readers with the same chart share one picture."""

    def __init__(self, database: Database, store: FileStore, settings: Summary) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._has_charts = settings.chart and summaries_chart.can_draw()
        self._drawn: dict[Chart, tuple[NewFile, ...]] = {}
        """Empty tuples for charts that could not be drawn or stored."""

    async def look_up(self, due: Sequence[DueSummary]) -> dict[str, SummaryFacts]:
        """Return the facts for each reader, with one query for all readers of a period."""
        groups: dict[Period, list[DueSummary]] = {}
        for each in due:
            groups.setdefault(each.period, []).append(each)
        facts: dict[str, SummaryFacts] = {}
        for period, group in groups.items():
            user_ids = [each.user_id for each in group if each.user_id is not None]
            found = await self._collect(user_ids, period) if user_ids else {}
            if len(user_ids) < len(group):
                found |= await self._collect(None, period)
            facts |= {each.reader: found[each.user_id or collect.EVERYTHING] for each in group}
        return facts

    async def _collect(self, user_ids: list[str] | None, period: Period) -> dict[str, SummaryFacts]:
        find = partial(collect.collect, readers=user_ids, period=period, with_arrivals=self._has_charts)
        return await self._database.read(find)

    async def compose(self, due: DueSummary, facts: SummaryFacts) -> ReadySummary:
        """Write a summary; without an announcement where the reader is muted, or gets none when it is empty."""
        audience = Audience(due.daily.zone, due.account, is_manual=due.planned_at is None)
        if due.is_muted or (facts.is_empty and not self._settings.when_empty):
            return ReadySummary(due, None)
        if facts.is_empty:
            return ReadySummary(due, _announcement(due, text.nothing_to_report(facts, audience)))
        files = await self._pictures(due, facts)
        title = text.title(facts, audience)
        return ReadySummary(due, _announcement(due, text.body(facts, audience), title, files))

    async def _pictures(self, due: DueSummary, facts: SummaryFacts) -> tuple[NewFile, ...]:
        """Return the stored chart, or nothing if it cannot be drawn or stored: the text is complete without it."""
        if not self._has_charts:
            return ()
        chart = Chart.of(facts, due.daily.zone)
        if not has_course(chart.bars):
            return ()
        if chart not in self._drawn:
            try:
                self._drawn[chart] = (await self._draw(chart, f"summary-{due.day.isoformat()}.png"),)
            except Exception as error:  # noqa: BLE001 - logged, and the text is complete without it
                self._log_failure(error)
                self._drawn[chart] = ()
        return self._drawn[chart]

    def _log_failure(self, error: Exception) -> None:
        """Log once per run: what breaks one chart mostly breaks all."""
        if () in self._drawn.values():
            return
        unexpected = None if isinstance(error, NotifybotError) else error
        facts = {"action": "chart_failed", "reason": reason_of(error)}
        log.warning("summaries are sent without charts", exc_info=unexpected, extra=facts)

    async def _draw(self, chart: Chart, name: str) -> NewFile:
        content = await asyncio.to_thread(summaries_chart.draw, chart)
        stored = await self._store.receive(_stream(content))
        return NewFile(MediaKind.PHOTO, name, sha256=stored.sha256, size=stored.size, media_type=stored.media_type)


def _announcement(
    due: DueSummary, content: str, title: str | None = None, files: tuple[NewFile, ...] = ()
) -> Announcement:
    """Make it wait for quiet hours only if the config chose the time, and not the reader."""
    look = Appearance(type="image") if files else DEFAULT_APPEARANCE
    is_awaited = due.user_id is not None
    return Announcement((due.recipient,), DAILY_SUMMARY, content, title, look, files, is_awaited=is_awaited)


async def _stream(content: bytes) -> AsyncIterator[bytes]:
    yield content
