"""Daemon and sandbox in separate processes, and measurements of both."""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, UnixConnector

from benchmarks.lab.process import ROOT, Home, Life, new_sandbox, start

WITHIN = ClientTimeout(total=300)
LOOK_EVERY_S = 0.05
CONNECTIONS = 8
"""Limit of our connections to the daemon, which keeps 512 open, uploads included."""
SHOWN_WITHIN_S = 300.0
SETTLED_AFTER_S = 2.0
SENDING = ("sendDocument", "sendMediaGroup", "sendPhoto", "sendMessage")
Json = dict[str, object]


@dataclass(frozen=True)
class Seen:
    """A call that Telegram accepted: its content, and its time of arrival (Unix seconds)."""

    method: str
    text: str
    at: float


class Apart:
    """Client of both processes."""

    def __init__(self, home: Home, life: Life, telegram: ClientSession, daemon: ClientSession) -> None:
        self.home = home
        self.daemon = daemon
        self._life = life
        self._telegram = telegram

    def peak_mb(self) -> float:
        """Return the daemon's peak memory, in 10^6 bytes."""
        status = Path(f"/proc/{self._life.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6

    def begin_peak(self) -> float:
        """Reset the peak to the daemon's current memory, and return that."""
        Path(f"/proc/{self._life.pid}/clear_refs").write_text("5")
        return self.peak_mb()

    @property
    def pid(self) -> int:
        return self._life.pid

    async def fault(self, **spec: object) -> None:
        """Set a fault in the sandbox."""
        async with self._telegram.post("/sandbox/faults", json=spec) as response:
            assert response.status == 200, await response.text()

    async def groups(self, count: int) -> list[int]:
        """Add groups with the bot as a member."""
        made = []
        for number in range(count):
            body = {"type": "supergroup", "title": f"Group {number}", "member_ids": []}
            async with self._telegram.post("/sandbox/chats", json=body) as response:
                made.append(int((await response.json())["id"]))
        return made

    async def seen(self, *, since: int = 0) -> list[Seen]:
        async with self._telegram.get("/sandbox/calls", params={"since": str(since)}) as response:
            calls = (await response.json())["calls"]
        accepted = [call for call in calls if call["method"] in SENDING and call["status"] == 200]
        return [Seen(call["method"], _text(call["params"]), float(call["at"])) for call in accepted]

    async def shows(self, *texts: str) -> dict[str, Seen]:
        """Wait until each of these texts is posted; return the first call for each."""
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while True:
            found = {text: next((call for call in await self.seen() if text in call.text), None) for text in texts}
            if all(found.values()) or time.monotonic() > deadline:
                return {text: call for text, call in found.items() if call is not None}
            await asyncio.sleep(LOOK_EVERY_S)


def _text(parameters: Json) -> str:
    return str(parameters.get("text") or parameters.get("caption") or parameters.get("media") or "")


@contextlib.asynccontextmanager
async def apart(more: Callable[[Path], Mapping[str, object]] = lambda _: {}) -> AsyncIterator[Apart]:
    """Run both in a temporary folder; clean up after the block. `more`: further sections of the config, for this
    folder."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        home, identity = Home(Path(folder)), new_sandbox(limits=False)
        async with sandbox_apart(identity.token) as url:
            home.configure(identity, url, escalation_channel=None)
            home.config.write_text(json.dumps(json.loads(home.config.read_text()) | more(home.folder)))
            life = await start(home)
            try:
                assert await life.ready(), f"the daemon ended at its start\n{home.log_tail()}"
                await asyncio.sleep(SETTLED_AFTER_S)
                connector = UnixConnector(str(home.socket), limit=CONNECTIONS)
                async with (
                    ClientSession(url, timeout=WITHIN) as telegram,
                    ClientSession("http://notifybot", connector=connector, timeout=WITHIN) as daemon,
                ):
                    yield Apart(home, life, telegram, daemon)
            finally:
                life.terminate()
                await life.end()


@contextlib.asynccontextmanager
async def sandbox_apart(token: str) -> AsyncIterator[str]:
    """Run a sandbox without rate limits; yield its URL."""
    command = ("-m", "notifybot.sandbox", "--limits", "off", "--token", token)
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line, "the sandbox did not start"
        yield line.decode().strip()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
