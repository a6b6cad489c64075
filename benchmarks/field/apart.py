"""A daemon and a sandbox, each a process of its own, and what the system and the sandbox say of them."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, UnixConnector

from benchmarks.lab.process import ROOT, Home, Life, new_sandbox, start

WITHIN = ClientTimeout(total=300)
LOOK_EVERY_S = 0.05
CONNECTIONS = 8
"""Of ours to the daemon, beside those who upload: it keeps 512 open."""
SHOWN_WITHIN_S = 300.0
SETTLED_AFTER_S = 2.0
SENDING = ("sendDocument", "sendMediaGroup", "sendPhoto", "sendMessage")
Json = dict[str, object]


@dataclass(frozen=True)
class Seen:
    """A call that Telegram accepted: what it showed, and when it arrived (Unix seconds)."""

    method: str
    text: str
    at: float


class Apart:
    """Talks to both."""

    def __init__(self, home: Home, life: Life, telegram: ClientSession, daemon: ClientSession) -> None:
        self.home = home
        self.daemon = daemon
        self._life = life
        self._telegram = telegram

    def peak_mb(self) -> float:
        """The most memory that the daemon ever had, in 10^6 bytes."""
        status = Path(f"/proc/{self._life.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6

    def begin_peak(self) -> float:
        """Let the peak count from what the daemon has now, which is returned."""
        Path(f"/proc/{self._life.pid}/clear_refs").write_text("5")
        return self.peak_mb()

    async def groups(self, count: int) -> list[int]:
        """New groups that the bot is in."""
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
        """Return once each of these texts stands in a chat: the first call for each."""
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while True:
            found = {text: next((call for call in await self.seen() if text in call.text), None) for text in texts}
            if all(found.values()) or time.monotonic() > deadline:
                return {text: call for text, call in found.items() if call is not None}
            await asyncio.sleep(LOOK_EVERY_S)


def _text(parameters: Json) -> str:
    return str(parameters.get("text") or parameters.get("caption") or parameters.get("media") or "")


@contextlib.asynccontextmanager
async def apart() -> AsyncIterator[Apart]:
    """Both running, on a temporary folder; after the block all is gone."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        home, identity = Home(Path(folder)), new_sandbox(limits=False)
        async with sandbox_apart(identity.token) as url:
            home.configure(identity, url, escalation_channel=None)
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
    """A sandbox without limits; yields its URL."""
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
