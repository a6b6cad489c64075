"""One daemon and one sandbox: a trial sends messages, injects faults, and measures what arrives and when."""

import asyncio
import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

from benchmarks.field.proxy import SilentProxy
from benchmarks.field.ways import Road, Way, road
from benchmarks.lab.lab import add_person
from benchmarks.lab.process import Home, Life, new_sandbox, start
from notifybot.sandbox import Sandbox, serving
from notifybot.sandbox.bot_api.call_log import Call

MARK = re.compile(r"\bm\d{6}\b")
RETRY_S = 0.02
AT_ONCE = 16
LOOK_EVERY_S = 0.05
PATIENCE_S = 120.0
PACED = ("sendMessage", "editMessageText")


class Refused(AssertionError):
    """The daemon refused a valid request; the text holds its response."""


@dataclass
class Handed:
    """A message that was accepted at `at` (Unix seconds), found again in its chat by its mark."""

    mark: str
    chat_id: int
    at: float = 0.0
    id: str = ""


class Field:
    """Environment of a trial; see `field()`."""

    def __init__(self, road: Road, sandbox: Sandbox, http: ClientSession) -> None:
        self.home = road.home
        self.sandbox = sandbox
        self._road = road
        self.handed: list[Handed] = []
        self._http = http
        self._life: Life | None = None

    # The daemon

    async def start(self) -> None:
        """Start the daemon; return once it accepts requests."""
        self._life = await start(self.home)
        assert await self._life.ready(), f"the daemon ended at its start\n{self.home.log_tail()}"

    async def polls(self) -> None:
        """Wait until the daemon polls for updates, which means that it delivers."""
        await self.until(lambda: self.sandbox.polling.is_active, "the daemon polls")

    async def kill(self) -> None:
        """Send SIGKILL."""
        life, self._life = self._life, None
        if life is not None:
            life.kill()
            await life.end()

    @property
    def pid(self) -> int:
        assert self._life is not None
        return self._life.pid

    def cpu_s(self) -> float:
        """Return the CPU seconds used by the daemon."""
        # Split after the name, which may contain spaces: utime and stime are fields 14 and 15 of the whole, in 1/100 s.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    # Connection to Telegram

    @property
    def proxy(self) -> SilentProxy:
        assert self._road.proxy is not None
        return self._road.proxy

    def forget_name(self) -> None:
        """Make Telegram's name unresolvable from now on."""
        self._road.known.unlink()

    def know_name(self) -> None:
        self._road.known.touch()

    # Chats

    def people(self, count: int) -> list[int]:
        """Add `count` people who have pressed /start; return their private chats."""
        return [add_person(self.sandbox, f"Person{number}").id for number in range(count)]

    def group(self, title: str) -> int:
        return self.sandbox.add_chat("supergroup", title).id

    # Messages

    async def hand_over(self, chat_id: int, *, is_alert: bool = False) -> Handed:
        """Send one message, and repeat the request until it is accepted."""
        handed = Handed(f"m{len(self.handed):06d}", chat_id)
        self.handed.append(handed)
        body = {"content": handed.mark, "channel_id": chat_id, "acknowledge": is_alert, "client_id": handed.mark}
        while True:
            if answer := await self._ask("POST", "/api/ingest", body):
                handed.at, handed.id = time.time(), str(answer["id"])
                return handed
            await asyncio.sleep(RETRY_S)

    async def hand_over_all(self, chat_ids: Iterable[int], *, is_alert: bool = False) -> list[Handed]:
        """Send one message per chat, roughly in this order, as fast as they are accepted."""
        waiting = iter(chat_ids)
        done: list[Handed] = []

        async def caller() -> None:
            for chat_id in waiting:
                done.append(await self.hand_over(chat_id, is_alert=is_alert))

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        return done

    async def get(self, path: str) -> dict[str, object]:
        answer = await self._ask("GET", path, None)
        assert answer is not None, f"no answer to {path}"
        return answer

    async def _ask(self, method: str, path: str, body: object) -> dict[str, object] | None:
        """Send a request. Return None if there is no response, or if it says to retry."""
        try:
            async with self._http.request(method, f"http://notifybot{path}", json=body) as response:
                answer: dict[str, object] = await response.json(content_type=None)
        except (ClientError, OSError, TimeoutError, ValueError):
            return None
        if response.status >= 500:
            return None
        if response.status not in (200, 202):
            raise Refused(f"{method} {path} was answered {response.status}: {answer}")
        return answer

    # Results

    def paced_calls(self) -> Iterator[Call]:
        """Return the calls that count against Telegram's limits, in order of arrival."""
        return iter(sorted((call for call in self.sandbox.calls if call.method in PACED), key=lambda call: call.at))

    def refused(self, chat_id: int | None = None) -> list[Call]:
        """Return the calls that got a 429."""
        return [call for call in self.sandbox.calls if call.status == 429 and chat_id in (None, call.chat_id)]

    def copies(self) -> dict[str, list[float]]:
        """Return the times at which Telegram accepted each message as a new post, by mark."""
        found: dict[str, list[float]] = {handed.mark: [] for handed in self.handed}
        for call in self.sandbox.calls.of("sendMessage"):
            mark = MARK.search(str(call.params.get("text")))
            if call.is_accepted and mark:
                found[mark[0]].append(call.at)
        return found

    def waits(self, handed: Iterable[Handed]) -> list[float]:
        """Return the seconds from acceptance to the post, for messages that were posted."""
        copies = self.copies()
        return [max(0.0, copies[each.mark][0] - each.at) for each in handed if copies[each.mark]]

    async def shows(self, handed: Iterable[Handed], *, within_s: float = PATIENCE_S) -> None:
        """Wait until all these messages are posted."""
        wanted = list(handed)

        def all_stand() -> bool:
            copies = self.copies()
            return all(copies[each.mark] for each in wanted)

        await self.until(all_stand, f"{len(wanted)} messages are posted", within_s=within_s)

    async def until(self, look: Callable[[], object], what: str, *, within_s: float = PATIENCE_S) -> None:
        """Wait until `look()` is true."""
        deadline = time.monotonic() + within_s
        while not look():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}\n{self.home.log_tail()}"
            await asyncio.sleep(LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def field(*, limits: bool, way: Way = Way.DIRECT) -> AsyncIterator[Field]:
    """Set up a field in a temporary folder, without people and with the daemon stopped; clean up after the block."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        sandbox = new_sandbox(limits=limits)
        connector = UnixConnector(str(Home(Path(folder)).socket), limit=0)
        async with (
            serving(sandbox) as url,
            road(way, Path(folder), url) as built,
            ClientSession(connector=connector, timeout=ClientTimeout(10)) as http,
        ):
            made = Field(built, sandbox, http)
            made.home.configure(sandbox, built.url, escalation_channel=None)
            try:
                yield made
            finally:
                await made.kill()
