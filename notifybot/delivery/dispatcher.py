"""The delivery loop: claim, send, record; woken by a commit or by the next due time."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from sqlmodel import Session

from notifybot.delivery import claims, outage, record
from notifybot.delivery.claims import Claim, ClaimResult, Leader
from notifybot.delivery.in_flight import InFlight
from notifybot.delivery.outage import PROBE_EVERY
from notifybot.delivery.outcome_log import log_outcome
from notifybot.delivery.record import Attempt, RetryPolicy
from notifybot.delivery.send_gate import TOGETHER
from notifybot.errors import Unavailable
from notifybot.posts.outcomes import (
    Fetched,
    GiveUp,
    NotFetched,
    Outcome,
    Shown,
    TryAgain,
)
from notifybot.rendering.buttons import Snooze
from notifybot.rendering.parts import Fetch
from notifybot.rendering.render import NextCall, is_long_markup, next_call
from notifybot.rendering.views import PostView
from notifybot.storage.database import Database
from notifybot.storage.writer import Changes
from notifybot.telegram_api.sender import TelegramSender
from notifybot.times.clock import Clock

log = logging.getLogger(__name__)

RETRY_RECORD = timedelta(seconds=1)


@dataclass(frozen=True)
class DeliverySettings:
    """How long a message is retried, as how many parts its text may go, and for how long an alert may be snoozed."""

    give_up_after: timedelta
    most_parts: int
    snoozes: tuple[Snooze, ...] = ()


class Fetcher(Protocol):
    """Brings files into our store (files/admit.py)."""

    async def fetch(self, call: Fetch) -> Fetched | NotFetched: ...


async def _ignore_return() -> None:
    return


class Dispatcher:
    """Keeps at most MOST_IN_FLIGHT calls under way, each in a chat of its own."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sender: TelegramSender,
        files: Fetcher,
        leader: Leader,
        manner: DeliverySettings,
        *,
        on_return: Callable[[], Awaitable[None]] = _ignore_return,
    ) -> None:
        """`on_return` is told when a probe is answered: Telegram is back, or was never away."""
        self._database = database
        self._clock = clock
        self._sender = sender
        self._leader = leader
        self._files = files
        self._manner = manner
        self._on_return = on_return
        self._work = asyncio.Event()
        self._is_stopping = False
        self._in_flight = InFlight(clock.now())
        self._probes: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._missed_probes = 0
        self._next_probe = clock.now()
        """While the way to Telegram is stalled."""
        self._spent_until: datetime | None = None
        """Before this the bot's pace allows no claim: commits until then need no look."""
        self._pace: datetime | None = None
        """Of the calls as they leave."""
        self._is_at_gate = False
        self._one_at_gate = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None
        self.turned_at = clock.now()
        """When the loop last turned: it stands still if that is long ago while something is due."""

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="dispatcher")

    def on_commit(self, changes: Changes) -> None:
        if changes.is_work_due:
            self._work.set()

    async def stop(self, *, within: timedelta) -> None:
        """Claim no more; let what is claimed and in flight finish for at most `within`. The rest stays in the database.

        A claim under way is waited for: given up half-way it would commit without its call, and count as uncertain.
        """
        self._is_stopping = True
        self._work.set()
        try:
            async with asyncio.timeout(within.total_seconds()):
                if self._loop is not None:
                    await self._loop
                await asyncio.gather(*self._in_flight, *self._probes, return_exceptions=True)
        except TimeoutError:
            log.warning("calls were cut off by the stop", extra={"action": "stop", "calls": len(self._in_flight)})
            for task in (*self._in_flight, *self._probes):
                task.cancel()

    @property
    def is_idle(self) -> bool:
        """Nothing happens before time passes: nothing is in flight, and no commit has asked for a look."""
        return not (self._in_flight or self._probes) and (self._is_at_gate or not self._work.is_set())

    async def _run(self) -> None:
        while not self._is_stopping:
            self._work.clear()
            self.turned_at = self._clock.now()
            try:
                look_again_at = await self._turn()
            except Exception:
                log.exception("claiming failed", extra={"action": "claim_failed"})
                look_again_at = self._clock.now() + RETRY_RECORD
            await self._clock.wait(self._work, look_again_at)

    async def _turn(self) -> datetime | None:
        """Claim what is due and begin its calls; say when to look again, if no commit comes before."""
        now = self._clock.now()
        if self._in_flight.is_stalled(now):
            return self._find_out(now)
        free = self._in_flight.free(now)
        if free <= 0:
            return self._in_flight.stalled_at()  # or before, when a recorded outcome wakes us
        if self._spent_until is not None and now < self._spent_until:
            return self._spent_until
        claimed = await self._claim(free)
        self._spent_until = claimed.look_again_at if claimed.is_spent else None
        for claim in claimed.taken:
            await self._gate()
            self._begin(claim)
        if claimed.must_probe:
            self._probe_soon()
        return min(filter(None, (claimed.look_again_at, self._in_flight.stalled_at())), default=None)

    def _find_out(self, now: datetime) -> datetime:
        """The way to Telegram is stalled: probe it now and then, and claim nothing until a probe, or a call, is
        answered."""
        if now >= self._next_probe:
            self._next_probe = now + PROBE_EVERY
            self._probe_soon()
        return self._next_probe

    async def _claim(self, most: int) -> ClaimResult:
        now = self._clock.now()
        claim = partial(claims.claim_due, leader=self._leader, now=now, most=most, turn=self._calls)
        return await self._database.write(claim)

    async def _gate(self) -> None:
        """Return when a call may leave, one at a time. Claims keep the pace too, but reach us as unevenly as commits
        do."""
        async with self._one_at_gate:
            await self._at_gate()

    async def _at_gate(self) -> None:
        limit = self._leader.limits.overall
        early = max(timedelta(), TOGETHER - limit.interval)
        open_at = limit.open_at(self._pace, now := self._clock.now()) - early
        if open_at > now:
            self._is_at_gate = True
            await self._clock.sleep_until(open_at)
            self._is_at_gate = False
        self._pace = limit.advanced(self._pace, self._clock.now())

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """For a call that waits for the upload of another: it takes no place meanwhile, and leaves at the pace of all
        then, for hundreds may have waited."""
        call = asyncio.current_task()
        assert call is not None
        self._in_flight.put_aside(call)
        self._work.set()
        yield
        await self._gate()
        self._in_flight.take_back(call, self._clock.now())

    def _begin(self, claim: Claim) -> None:
        self._calls += 1
        call = asyncio.create_task(self._show(claim))
        self._in_flight.add(call, self._clock.now())

    def _probe_soon(self) -> None:
        probe = asyncio.create_task(self._probe())
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)

    async def _probe(self) -> None:
        """Find out whether Telegram is back. The next probe does not wait for this one, which may hang."""
        if not await self._sender.is_there():
            self._missed_probes += 1
            self._work.set()
            return
        self._in_flight.heard(now := self._clock.now())
        was_away, self._missed_probes = self._missed_probes > 0, 0
        with contextlib.suppress(Unavailable):  # the next probe tells it again
            await self._database.write(partial(outage.note_probe_answered, was_away=was_away, now=now))
        await self._on_return()

    async def _show(self, claim: Claim) -> None:
        call = asyncio.current_task()
        assert call is not None
        try:
            attempt, outcome = await self._call(claim)
            if not isinstance(outcome, TryAgain | Fetched | NotFetched):
                self._in_flight.heard(self._clock.now())
            log_outcome(claim, outcome)
            await self._record(attempt, outcome)
        finally:
            self._in_flight.discard(call)  # at once: a record wakes the loop, which counts who is in flight

    async def _call(self, claim: Claim) -> tuple[Attempt, Outcome]:
        """Make the claim's call. A post that cannot even be rendered is given up: it would only come back."""
        try:
            coming = await self._next_call(claim.post)
        except Exception:
            log.exception("a post cannot be rendered", extra={"action": "render_failed", "post": claim.post.id})
            return Attempt(claim, None, 0, "", is_last=True), GiveUp("notifybot could not prepare it", False)
        attempt = Attempt(claim, coming.call, coming.place, coming.digest, coming.is_last)
        match coming.call:
            case None:
                return attempt, Shown(claim.post.chat_id, ())
            case Fetch():
                return attempt, await self._files.fetch(coming.call)
            case _:
                return attempt, await self._sender.show(coming.call, self._aside)

    async def _next_call(self, post: PostView) -> NextCall:
        """Long markup can take a second to read: then on a thread."""
        render = partial(next_call, post, max_parts=self._manner.most_parts, snoozes=self._manner.snoozes)
        is_long = post.message is not None and is_long_markup(post.message.content, post.message.look.parse_mode)
        return await asyncio.to_thread(render) if is_long else render()

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write the outcome down, however long the disk refuses: forgetting it would send the post again."""
        while True:
            try:
                await self._database.write(partial(self._record_now, attempt=attempt, outcome=outcome))
                return
            except Unavailable:
                await self._clock.sleep_until(self._clock.now() + RETRY_RECORD)

    def _record_now(self, session: Session, attempt: Attempt, outcome: Outcome) -> None:
        patience = RetryPolicy(self._manner.give_up_after, jitter=random.random())
        record.record(session, attempt, outcome, now=self._clock.now(), patience=patience)
