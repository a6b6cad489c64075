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
from notifybot.storage.writer import Changes, Write
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
        self._must_look = True
        """Something may be due that nobody has claimed."""
        self._is_claiming = False
        """A claim is with the writer; there is at most one."""
        self._claimed: ClaimResult | None = None
        """Result of a claim that another write took along; its calls are to begin."""
        self._wants_room = False
        """More could be claimed if fewer calls were in flight, or Telegram responded."""
        self._look_again_at: datetime | None = None
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
        self._look()

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="dispatcher")
        self._database.claim_along(self._claim_along)

    def on_commit(self, changes: Changes) -> None:
        has_unclaimed = changes.is_work_due and not changes.is_claimed
        if has_unclaimed or (changes.is_call_over and self._wants_room):
            self._look()

    def _look(self) -> None:
        """Look for what is due, as soon as the claim under way is over."""
        self._must_look = True
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
        is_busy = self._work.is_set() or self._must_look
        return not (self._in_flight or self._probes) and (self._gate.is_waiting or not is_busy)

    async def _run(self) -> None:
        while not self._is_stopping or self._is_claiming or self._claimed:
            self._work.clear()
            try:
                await self._step()
            except Exception:
                log.exception("claiming failed", extra={"action": "claim_failed"})
                self._look_again_at = self._clock.now() + RETRY_RECORD
            next_look = None if self._must_look else self._next_look()  # the end of the claim under way wakes it
            await self._clock.wait(self._work, next_look)
            self._must_look |= next_look is not None and next_look <= self._clock.now()

    def _next_look(self) -> datetime | None:
        """Return when to look if nothing happens before."""
        stalled_at = self._in_flight.stalled_at()
        probe_at = None if stalled_at is None else max(stalled_at, self._next_probe)
        return min(filter(None, (self._look_again_at, probe_at)), default=None)

    async def _step(self) -> None:
        """Begin the calls that another write claimed, or claim what is due, unless a claim is under way."""
        if self._claimed is not None:
            found, self._claimed = self._claimed, None
            await self._begin_all(found)
        elif self._must_look and not (self._is_claiming or self._is_stopping):
            self._must_look = False
            await self._claim_and_begin()
        if self._must_look and not self._is_claiming:
            self._work.set()

    async def _claim_and_begin(self) -> None:
        """Claim what is due and begin its calls."""
        now = self._clock.now()
        if self._is_spent(now):
            return
        self._look_again_at = None
        if self._in_flight.is_stalled(now):
            self._wants_room = True
            self._probe_if_due(now)
        elif (free := self._in_flight.free(now)) <= 0:
            self._wants_room = True
        else:
            self._is_claiming, steps = True, self._steps
            try:
                found = await self._database.write(self._claim(free))
                self._note(found, free, steps)
                await self._begin_all(found)
            finally:
                self._is_claiming = False

    def _claim_along(self) -> Write[ClaimResult | None] | None:
        """Claim what the next transaction makes due, if calls may begin now."""
        now = self._clock.now()
        is_busy = self._is_stopping or self._is_claiming or self._claimed is not None
        free = self._in_flight.free(now)
        if is_busy or self._is_spent(now) or self._in_flight.is_stalled(now) or free <= 0:
            return None
        self._is_claiming = True
        return Write(self._claim(free), partial(self._note_claimed, free, self._steps), claims=True)

    def _note_claimed(self, free: int, steps: int, found: ClaimResult | Exception | None) -> None:
        """Take the result of a claim along: None if there was nothing to claim."""
        self._is_claiming = False
        if isinstance(found, ClaimResult):
            self._note(found, free, steps)
            self._claimed = found
        if self._claimed or self._must_look or self._is_stopping:
            self._work.set()

    def _is_spent(self, now: datetime) -> bool:
        return self._spent_until is not None and now < self._spent_until

    def _claim(self, limit: int) -> Callable[[Session], ClaimResult]:
        now = self._clock.now()
        return partial(claims.claim_due, leader=self._leader, now=now, limit=limit, call_number=self._call_count)

    def _note(self, found: ClaimResult, free: int, steps: int) -> None:
        self._wants_room = len(found.claims) >= free
        self._look_again_at = found.look_again_at
        is_spent = found.is_spent and steps == self._steps  # else its time is by the clock as it was
        self._spent_until = found.look_again_at if is_spent else None

    async def _begin_all(self, found: ClaimResult) -> None:
        """Begin the claimed calls, before anything else is claimed."""
        self._is_claiming = True
        try:
            for claim in found.claims:
                await self._gate.wait()
                self._begin(claim)
        finally:
            self._is_claiming = False
        if found.must_probe:
            self._begin_probe()

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
        self._look()
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

    def _probe_if_due(self, now: datetime) -> None:
        """Probe a stalled connection now and then; nothing is claimed until a probe or a call gets a response."""
        if now >= self._next_probe:
            self._next_probe = now + PROBE_EVERY
            self._begin_probe()

    def _begin_probe(self) -> None:
        """Begin a probe. The next one does not wait for it, as it may hang."""
        probe = asyncio.create_task(self._probe())
        self._probes.add(probe)
        probe.add_done_callback(self._end_probe)

    def _end_probe(self, probe: asyncio.Task[None]) -> None:
        self._probes.discard(probe)
        self._work.set()

    async def _probe(self) -> None:
        if not await self._calls.sender.is_there():
            self._missed_probes += 1
            self._look()
            return
        self._in_flight.note_answer(self._clock.now())
        was_away, self._missed_probes = self._missed_probes > 0, 0
        await self._on_return()
        now = self._clock.now()
        with contextlib.suppress(Unavailable):  # the next probe records it
            await self._database.write(partial(outage.note_probe_answered, was_away=was_away, now=now))
