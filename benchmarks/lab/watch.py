"""Watch a daemon from outside: what /health says, and for how long nothing moves."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

from benchmarks.lab.callers import MOST_UNSHOWN
from benchmarks.lab.ledger import SOON_S, Entry, Ledger

LOOK_EVERY_S = 0.1
ASK_EVERY_S = 0.25
ANSWERED_WITHIN = ClientTimeout(total=2)
SAID_WITHIN_S = 5.0


class HealthWatch:
    """Asks for /health over one connection, which outlives an unlinked socket, and keeps the latest answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.latest = ""
        self._answered = asyncio.Event()

    async def run(self) -> None:
        connector = UnixConnector(str(self._socket), limit=1, keepalive_timeout=600)
        async with ClientSession(connector=connector, timeout=ANSWERED_WITHIN) as http:
            while True:
                with contextlib.suppress(ClientError, OSError, TimeoutError, ValueError):
                    async with http.get("http://notifybot/health") as response:
                        self.latest = json.dumps(await response.json(content_type=None))
                self._answered.set()
                self._answered.clear()
                await asyncio.sleep(ASK_EVERY_S)

    async def says(self, pattern: str) -> float | None:
        """Return after how many seconds it said this; None if it did not within SAID_WITHIN_S."""
        begin, before = time.monotonic(), self.latest
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAID_WITHIN_S):
                while self.latest == before or not re.search(pattern, self.latest):
                    await self._answered.wait()
                return time.monotonic() - begin
        return None


class StandStill:
    """The longest time without progress, except while that is excused."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.where = ""
        """Trouble during, or after, which it was."""
        self._since = time.monotonic()
        self._progress = -1

    def note(self, progress: int, where: str, *, is_excused: bool) -> None:
        now = time.monotonic()
        if is_excused or progress != self._progress:
            self._since, self._progress = now, progress
        if now - self._since > self.longest_s:
            self.longest_s, self.where = now - self._since, where

    def __str__(self) -> str:
        return f"{self.longest_s:.1f} s ({self.where})"


class ProgressWatch:
    """Measures how long no message was posted although one was due, and none accepted although callers ask."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.posts, self.accepts = StandStill(), StandStill()
        self.excuses_posts = self.excuses_accepts = False
        self.has_callers = True
        self.where = "start"

    async def run(self) -> None:
        while True:
            accepted = [entry for entry in self._ledger.entries.values() if entry.message_id is not None]
            waiting = [entry for entry in accepted if not entry.is_shown]
            is_any_due = any(_due_waiting(waiting))
            shown = len(accepted) - len(waiting)
            self.posts.note(shown, self.where, is_excused=self.excuses_posts or not is_any_due)
            rests = not self.has_callers or len(waiting) > MOST_UNSHOWN
            self.accepts.note(len(accepted), self.where, is_excused=self.excuses_accepts or rests)
            await asyncio.sleep(LOOK_EVERY_S)


def _due_waiting(waiting: list[Entry]) -> Iterator[bool]:
    now = time.time()
    for entry in waiting:
        yield entry.wish.send_at is None or now - entry.accepted_at > SOON_S
