"""One daemon on one sandbox, in which a trial hands over messages, does harm, and sees what came and when."""

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
    """The daemon refused what it should have taken; the answer is in the text."""


@dataclass
class Handed:
    """A message that was accepted at `at` (Unix seconds), found again in its chat by its mark."""

    mark: str
    chat_id: int
    at: float = 0.0
    id: str = ""


class Field:
    """Everything that a trial needs; see `field()`."""

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
        """Return once it fetches updates, and so delivers."""
        await self.until(lambda: self.sandbox.polling.is_active, "the daemon polls")

    async def kill(self) -> None:
        """SIGKILL."""
        life, self._life = self._life, None
        if life is not None:
            life.kill()
            await life.end()

    @property
    def pid(self) -> int:
        assert self._life is not None
        return self._life.pid

    def cpu_s(self) -> float:
        """Processor seconds that the daemon has used."""
        # The fields after the name, which may hold spaces: utime and stime are the 14th and 15th of all, in 1/100 s.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    # Its way to Telegram

    @property
    def proxy(self) -> SilentProxy:
        assert self._road.proxy is not None
        return self._road.proxy

    def forget_name(self) -> None:
        """Telegram's name is unknown from now on."""
        self._road.known.unlink()

    def know_name(self) -> None:
        self._road.known.touch()

    # Chats

    def people(self, count: int) -> list[int]:
        """The private chats of so many people who have pressed /start."""
        return [add_person(self.sandbox, f"Person{number}").id for number in range(count)]

    def group(self, title: str) -> int:
        return self.sandbox.add_chat("supergroup", title).id

    # Messages

    async def hand_over(self, chat_id: int, *, is_alert: bool = False) -> Handed:
        """Hand over one message and repeat the request until it was accepted."""
        handed = Handed(f"m{len(self.handed):06d}", chat_id)
        self.handed.append(handed)
        body = {"content": handed.mark, "channel_id": chat_id, "acknowledge": is_alert, "client_id": handed.mark}
        while True:
            if answer := await self._ask("POST", "/api/ingest", body):
                handed.at, handed.id = time.time(), str(answer["id"])
                return handed
            await asyncio.sleep(RETRY_S)

    async def hand_over_all(self, chat_ids: Iterable[int], *, is_alert: bool = False) -> list[Handed]:
        """One message for each of these chats, in about this order, as fast as they are accepted."""
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
        """None: no answer, or one that says to try again."""
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

    # What came of it

    def paced_calls(self) -> Iterator[Call]:
        """The calls that Telegram's limits concern, by the time of their arrival."""
        return iter(sorted((call for call in self.sandbox.calls if call.method in PACED), key=lambda call: call.at))

    def refused(self, chat_id: int | None = None) -> list[Call]:
        """The calls that were answered 429."""
        return [call for call in self.sandbox.calls if call.status == 429 and chat_id in (None, call.chat_id)]

    def copies(self) -> dict[str, list[float]]:
        """When each message was accepted by Telegram as a new post, by its mark."""
        found: dict[str, list[float]] = {handed.mark: [] for handed in self.handed}
        for call in self.sandbox.calls.of("sendMessage"):
            mark = MARK.search(str(call.params.get("text")))
            if call.is_accepted and mark:
                found[mark[0]].append(call.at)
        return found

    def waits(self, handed: Iterable[Handed]) -> list[float]:
        """Seconds from acceptance to the chat, of those that were shown."""
        copies = self.copies()
        return [max(0.0, copies[each.mark][0] - each.at) for each in handed if copies[each.mark]]

    async def shows(self, handed: Iterable[Handed], *, within_s: float = PATIENCE_S) -> None:
        """Return once all these stand in their chats."""
        wanted = list(handed)

        def all_stand() -> bool:
            copies = self.copies()
            return all(copies[each.mark] for each in wanted)

        await self.until(all_stand, f"{len(wanted)} messages stand in their chats", within_s=within_s)

    async def until(self, look: Callable[[], object], what: str, *, within_s: float = PATIENCE_S) -> None:
        """Return once `look()` is true."""
        deadline = time.monotonic() + within_s
        while not look():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}\n{self.home.log_tail()}"
            await asyncio.sleep(LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def field(*, limits: bool, way: Way = Way.DIRECT) -> AsyncIterator[Field]:
    """A field on a temporary folder, with nobody in it yet; the daemon does not run. After the block all is gone."""
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
