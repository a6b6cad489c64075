"""The crash lab: one sandbox, a sequence of daemons on one database, and active callers and people."""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout, UnixConnector

from benchmarks.lab.callers import Callers
from benchmarks.lab.ledger import Entry, Ledger
from benchmarks.lab.people import People
from benchmarks.lab.process import Home, Life, new_sandbox, prepare, start
from benchmarks.lab.steps import Kill, Step
from benchmarks.lab.verdict import Finding, account_of, judge
from notifybot.sandbox import Sandbox, serving
from notifybot.sandbox.world.state import User

PEOPLE = 8
GROUPS = 4
REACHED_WITHIN_S = 30.0
SETTLED_WITHIN_S = 60.0
JUDGED_AT_ONCE = 8
LOOK_AGAIN_S = 0.2
HELD_UP_S = 10.0
UPLOADS = ("sendPhoto", "sendDocument", "sendMediaGroup")
ANSWERED_WITHIN = ClientTimeout(total=30)


@dataclass(frozen=True)
class Death:
    """End of one daemon, in Unix seconds, and its intended kill; `is_missed`: its step was not reached."""

    at: float
    kill: Kill
    is_missed: bool


class Lab:
    """A lab: `live_through` kills, then `settle` judges every accepted message."""

    def __init__(self, home: Home, sandbox: Sandbox, rng: random.Random) -> None:
        self.home = home
        self.sandbox = sandbox
        self.deaths: list[Death] = []
        self.output: int | None = None
        """File descriptor for what the daemons print; None for the log file."""
        members = [add_person(sandbox, f"Person{number}") for number in range(PEOPLE)]
        groups = [sandbox.add_chat("supergroup", f"Group {number}", members=members) for number in range(GROUPS)]
        self.escalation_chat = sandbox.add_chat("supergroup", "Escalations", members=members).id
        self.chat_ids = [*(user.id for user in members), *(chat.id for chat in groups)]
        self.ledger = Ledger(rng, self.chat_ids)
        self.people = People(sandbox, self.ledger, rng, escalation_chat=self.escalation_chat, members=members)
        self.callers = Callers(home.socket, self.ledger, rng)
        self._lives: list[Life] = []

    @property
    def is_running(self) -> bool:
        return any(not life.is_over for life in self._lives)

    async def start(self) -> Life:
        """Start the daemon like an operator; return once it accepts requests. Raises AssertionError if it exits."""
        life = await self.keep(start(self.home, self.output))
        assert await life.ready(), f"the daemon ended at its start\n{self.home.log_tail()}"
        return life

    async def stop(self, life: Life) -> int:
        """Send SIGTERM; return the exit code."""
        life.terminate()
        return await self._gone(life)

    async def kill(self, life: Life) -> None:
        """Send SIGKILL at once."""
        life.kill()
        await self._gone(life)

    async def live_through(self, kills: Sequence[Kill]) -> None:
        """Run one daemon after the other, each ended by its kill; the next one does its imports meanwhile."""
        coming = asyncio.create_task(self.keep(prepare(self.home, kills[0])))
        for kill, following in zip_longest(kills, kills[1:]):
            life = await coming
            if following is not None:
                coming = asyncio.create_task(self.keep(prepare(self.home, following)))
            life.go()
            await self._end(life, kill)

    async def settle(self) -> list[Finding]:
        """Wait until all accepted messages are finished and correct, and judge them; return the others
        with their problems. A daemon must be running, and the callers stopped."""
        entries = [entry for entry in self.ledger.entries.values() if entry.message_id is not None]
        deadline = time.monotonic() + SETTLED_WITHIN_S
        good: list[Finding] = []
        async with ClientSession(connector=UnixConnector(str(self.home.socket)), timeout=ANSWERED_WITHIN) as http:
            while True:
                findings = await self._judge(http, entries)
                good += [finding for finding in findings if finding.is_good]
                bad = [finding for finding in findings if not finding.is_good]
                if not bad or time.monotonic() > deadline:
                    return good + bad
                entries = [finding.entry for finding in bad]
                await asyncio.sleep(LOOK_AGAIN_S)

    def files_left_behind(self) -> list[Path]:
        """Return the entries of the file store that are not complete files named after their digest."""
        store = self.home.folder / "data" / "attachments"
        return [path for path in store.rglob("*") if path.is_file() and path.name != _sha256(path)]

    async def close(self) -> None:
        """Stop everything that still runs."""
        self.people.cancel()
        await self.callers.cancel()
        for life in list(self._lives):
            await self.kill(life)

    async def keep(self, coming: Coroutine[Any, Any, Life]) -> Life:
        """Register a daemon, so that it cannot outlive the lab."""
        life = await coming
        self._lives.append(life)
        return life

    async def _judge(self, http: ClientSession, entries: Iterable[Entry]) -> list[Finding]:
        gate = asyncio.Semaphore(JUDGED_AT_ONCE)

        async def judged(entry: Entry) -> Finding:
            assert entry.message_id is not None
            async with gate:
                return judge(entry, await account_of(http, entry.message_id), self.sandbox)

        return await asyncio.gather(*(judged(entry) for entry in entries))

    async def _end(self, life: Life, kill: Kill) -> None:
        """End a daemon with its kill; if it does not reach the step, kill it anyway."""
        is_missed = False
        try:
            async with asyncio.timeout(REACHED_WITHIN_S):
                await self._bring_about(life, kill)
                await life.end()
        except TimeoutError:
            is_missed = True
        await self.kill(life)
        self.deaths.append(Death(time.time(), kill, is_missed))

    async def _bring_about(self, life: Life, kill: Kill) -> None:
        match kill.step:
            case Step.RANDOM:
                if not kill.during_start:
                    await life.ready()
                await asyncio.sleep(kill.after_s)
                life.kill()
            case Step.BEFORE_TELEGRAM:
                await self._hold_up(("sendMessage",), nth=kill.nth)
                life.kill()
            case Step.UPLOADING:
                await self._hold_up(UPLOADS, nth=kill.nth)
                life.kill()

    async def _hold_up(self, methods: Sequence[str], *, nth: int) -> None:
        """Return while a send waits at the sandbox; if the daemon dies then, the send was never accepted."""
        faults = [
            self.sandbox.fault("slow", method=method, times=1, after=nth - 1, seconds=HELD_UP_S) for method in methods
        ]
        try:
            await self.sandbox.wait_for(lambda: any(fault.hits for fault in faults), timeout=REACHED_WITHIN_S)
        finally:
            self.sandbox.clear_faults()

    async def _gone(self, life: Life) -> int:
        code = await life.end()
        if life in self._lives:
            self._lives.remove(life)
        return code


@contextlib.asynccontextmanager
async def laboratory(
    folder: Path, seed: int, *, database_url: str | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Lab]:
    """Set up a lab with active people; callers start on request. After the block only the files remain."""
    sandbox = new_sandbox(limits=False)
    async with serving(sandbox) as url:
        lab = Lab(Home(folder, database_url, environment=environment or {}), sandbox, random.Random(seed))
        lab.home.configure(sandbox, url, escalation_channel=lab.escalation_chat)
        lab.people.start()
        try:
            yield lab
        finally:
            await lab.close()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def add_person(sandbox: Sandbox, name: str) -> User:
    """Add a person who has pressed /start."""
    user = sandbox.add_user(name)
    user.has_started = True
    sandbox.world.private_chat(user)
    return user
