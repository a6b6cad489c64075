"""Send the daily summaries that are due."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from notifybot.errors import Unavailable
from notifybot.jobs.batches import MAX_PUT_OFF, PoisonRow, put_off
from notifybot.runtime import Runtime
from notifybot.storage.due import DueRow
from notifybot.summaries import plan
from notifybot.summaries.compose import Composer
from notifybot.summaries.plan import SUMMARIES, DueSummary
from notifybot.summaries.send import send

NAME = plan.JOB
READERS_PER_QUERY = 500
"""They share one look at the messages."""
SUMMARIES_PER_COMMIT = 50

next_due = SUMMARIES.next_at


async def run(runtime: Runtime, now: datetime) -> int:
    """Send the summaries that are due, then replan those that changed; return the number sent."""
    sending = _Sending(runtime, now)
    while due := await runtime.database.read(partial(plan.due, now=now, limit=READERS_PER_QUERY)):
        await sending.send(due)
    await _update_plans(runtime, now)
    return sending.sent


async def run_now(runtime: Runtime, now: datetime) -> int:
    """Send every reader a summary of the last day, marked as requested; plans stay as they are."""
    await _update_plans(runtime, now)
    sending = _Sending(runtime, now)
    for some in _chunks(await runtime.database.read(partial(plan.on_request, now=now)), READERS_PER_QUERY):
        await sending.send_together(some)
    return sending.sent


async def _update_plans(runtime: Runtime, now: datetime) -> None:
    find = partial(plan.outdated, defaults=plan.defaults_of(runtime.config), now=now, limit=SUMMARIES_PER_COMMIT)
    while wanted := await runtime.database.read(find):
        await runtime.database.write(partial(plan.save_plans, wanted=wanted, now=now))


class _Sending:
    """The summaries of one run."""

    def __init__(self, runtime: Runtime, now: datetime) -> None:
        self.sent = 0
        self._runtime = runtime
        self._now = now
        self._composer = Composer(runtime.database, runtime.files.store, runtime.config.summary)
        self._put_offs_left = MAX_PUT_OFF

    async def send(self, due: Sequence[DueSummary]) -> None:
        """Send these summaries. Halve them to find one that fails; it is put off and does not block the others."""
        try:
            await self.send_together(due)
        except Exception as error:
            if self._runtime.database.is_down(error) or self._put_offs_left == 0:
                raise
            if len(due) == 1:
                self._put_offs_left -= 1
                await put_off(self._runtime, NAME, SUMMARIES, _poison_row(due[0], error), now=self._now)
                return
            for half in _chunks(due, (len(due) + 1) // 2):
                await self.send(half)

    async def send_together(self, due: Sequence[DueSummary]) -> None:
        """Send these summaries, in transactions short enough to let callers through.

        Messages accepted so far are committed before they are counted: no later summary would count them.
        """
        await self._runtime.database.write(lambda _: None)
        facts = await self._composer.look_up(due)
        for some in _chunks(due, SUMMARIES_PER_COMMIT):
            ready = [await self._composer.compose(each, facts[each.reader]) for each in some]
            work = partial(send, summaries=ready, now=self._now, directory=self._runtime.directory)
            self.sent += await self._runtime.database.write(work)


def _poison_row(due: DueSummary, error: Exception) -> PoisonRow:
    assert due.planned_at is not None
    poison = PoisonRow(DueRow(due.reader, due.planned_at))
    poison.__cause__ = error.__cause__ if isinstance(error, Unavailable) else error
    return poison


def _chunks(due: Sequence[DueSummary], size: int) -> Iterator[Sequence[DueSummary]]:
    for start in range(0, len(due), size):
        yield due[start : start + size]
