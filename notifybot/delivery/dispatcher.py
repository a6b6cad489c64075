"""The delivery loop: claim, send, record; woken by a commit or at the next due time."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from notifybot.delivery import claims, outage, record
from notifybot.delivery.attempt import Attempt, RetryPolicy
from notifybot.delivery.calls import Calls
from notifybot.delivery.claims import Claim, ClaimResult, Leader
from notifybot.delivery.in_flight import InFlight
from notifybot.delivery.outage import PROBE_EVERY
from notifybot.delivery.outcome_log import log_outcome
from notifybot.delivery.send_gate import SendGate
from notifybot.errors import Unavailable
from notifybot.posts.outcomes import Fetched, NotFetched, Outcome, TryAgain
from notifybot.storage.database import Database
from notifybot.storage.writer import Changes
from notifybot.times.clock import Clock

log = logging.getLogger(__name__)

RETRY_RECORD = timedelta(seconds=1)


async def _do_nothing() -> None:
    return


class Dispatcher:
    """Keeps at most MAX_IN_FLIGHT calls in flight, each to a different chat."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        calls: Calls,
        leader: Leader,
        *,
        is_away: Callable[[], bool] = lambda: False,
        on_return: Callable[[], Awaitable[None]] = _do_nothing,
    ) -> None:
        """`is_away`: no updates can be fetched.

        `on_return` is called when a probe succeeds: Telegram is back, or was never away. Nothing is claimed before it
        returns.
        """
        self._database = database
        self._clock = clock
        self._calls = calls
        self._leader = leader
        self._is_away = is_away
        self._on_return = on_return
        self._work = asyncio.Event()
        self._is_stopping = False
        self._gate = SendGate(clock, leader.limits.overall)
        self._in_flight = InFlight(clock.now())
        self._probes: set[asyncio.Task[None]] = set()
        self._call_count = 0
        self._missed_probes = 0
        self._next_probe = clock.now()
        """While the connection to Telegram is stalled."""
        self._spent_until: datetime | None = None
        """The overall limit allows no claim before this; ignore commits until then."""
        self._steps = 0
        """Steps of the clock so far."""
        self._loop: asyncio.Task[None] | None = None
        clock.on_step(self._follow_clock)

    def _follow_clock(self, step: timedelta) -> None:
        """Move what waits in memory by a step of the clock, and look at everything again."""
        self._in_flight.move(step)
        self._gate.move(step)
        self._next_probe += step
        self._spent_until = None
        self._steps += 1
        self._work.set()

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="dispatcher")

    def on_commit(self, changes: Changes) -> None:
        if changes.is_work_due:
            self._work.set()

    async def stop(self, *, within: timedelta) -> None:
        """Stop claiming, and let calls in flight finish. What is left after `within` stays in the database.

        A claim in progress is waited for: cancelled, it would commit without its call, and count as uncertain.
        """
        self._is_stopping = True
        self._work.set()
        try:
            async with asyncio.timeout(within.total_seconds()):
                if self._loop is not None:
                    await self._loop
                await asyncio.gather(*self._in_flight, *self._probes, return_exceptions=True)
        except TimeoutError:
            log.warning("calls cut off at shutdown", extra={"action": "stop", "calls": len(self._in_flight)})
            for task in (*self._in_flight, *self._probes):
                task.cancel()

    @property
    def is_idle(self) -> bool:
        """True while only the clock can trigger work: no calls in flight and no commit to process."""
        return not (self._in_flight or self._probes) and (self._gate.is_waiting or not self._work.is_set())

    async def _run(self) -> None:
        while not self._is_stopping:
            self._work.clear()
            try:
                look_again_at = await self._claim_and_begin()
            except Exception:
                log.exception("claiming failed", extra={"action": "claim_failed"})
                look_again_at = self._clock.now() + RETRY_RECORD
            await self._clock.wait(self._work, look_again_at)

    async def _claim_and_begin(self) -> datetime | None:
        """Claim what is due and begin its calls; return when to look again if no commit comes first."""
        now = self._clock.now()
        if self._in_flight.is_stalled(now):
            return self._probe_if_due(now)
        free = self._in_flight.free(now)
        if free <= 0:
            return self._in_flight.stalled_at()  # or before, when a recorded outcome wakes us
        if self._spent_until is not None and now < self._spent_until:
            return self._spent_until
        steps, found = self._steps, await self._claim(free)
        is_spent = found.is_spent and steps == self._steps  # else its time is by the clock as it was
        self._spent_until = found.look_again_at if is_spent else None
        for claim in found.claims:
            await self._gate.wait()
            self._begin(claim)
        if found.must_probe:
            self._begin_probe()
        return min(filter(None, (found.look_again_at, self._in_flight.stalled_at())), default=None)

    async def _claim(self, limit: int) -> ClaimResult:
        now = self._clock.now()
        claim = partial(claims.claim_due, leader=self._leader, now=now, limit=limit, call_number=self._call_count)
        return await self._database.write(claim)

    def _begin(self, claim: Claim) -> None:
        self._call_count += 1
        call = asyncio.create_task(self._show(claim))
        self._in_flight.add(call, self._clock.now())

    async def _show(self, claim: Claim) -> None:
        call = asyncio.current_task()
        assert call is not None
        try:
            attempt, outcome = await self._calls.make(claim, self._aside)
            if not isinstance(outcome, TryAgain | Fetched | NotFetched):
                self._in_flight.note_answer(self._clock.now())
            log_outcome(claim, outcome)
            await self._record(attempt, outcome)
        finally:
            self._in_flight.discard(call)  # at once: a record wakes the loop, which counts the calls in flight

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """Give up the call's place while it waits for another's upload. It leaves through the gate again then, as
        hundreds may have waited."""
        call = asyncio.current_task()
        assert call is not None
        self._in_flight.put_aside(call)
        self._work.set()
        yield
        await self._gate.wait()
        self._in_flight.take_back(call, self._clock.now())

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record the outcome, and retry until the disk accepts it: a lost outcome would send the post again."""
        while True:
            try:
                record_it = partial(self._record_at, self._clock.now(), attempt=attempt, outcome=outcome)
                await self._database.write(record_it)
                return
            except Unavailable:
                await self._clock.sleep_until(self._clock.now() + RETRY_RECORD)

    def _record_at(self, now: datetime, session: Session, attempt: Attempt, outcome: Outcome) -> None:
        policy = RetryPolicy(self._calls.settings.give_up_after, jitter=random.random())
        record.record(session, attempt, outcome, now=now, policy=policy, is_away=self._is_away())

    # Probes

    def _probe_if_due(self, now: datetime) -> datetime:
        """Probe a stalled connection now and then; nothing is claimed until a probe or a call gets a response."""
        if now >= self._next_probe:
            self._next_probe = now + PROBE_EVERY
            self._begin_probe()
        return self._next_probe

    def _begin_probe(self) -> None:
        """Begin a probe. The next one does not wait for it, as it may hang."""
        probe = asyncio.create_task(self._probe())
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)

    async def _probe(self) -> None:
        if not await self._calls.sender.is_there():
            self._missed_probes += 1
            self._work.set()
            return
        self._in_flight.note_answer(self._clock.now())
        was_away, self._missed_probes = self._missed_probes > 0, 0
        await self._on_return()
        now = self._clock.now()
        with contextlib.suppress(Unavailable):  # the next probe records it
            await self._database.write(partial(outage.note_probe_answered, was_away=was_away, now=now))
