"""The demo: the real daemon beside a local Telegram, with a page where one chats, breaks things and pulls the plug."""

import asyncio
import errno
import json
import os
import secrets
import shlex
import signal
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from notifybot.demo.daemon import DaemonProcess, Folder
from notifybot.demo.routes import Backstage, add_demo_routes
from notifybot.errors import StartRefused
from notifybot.sandbox import Sandbox, make_app
from notifybot.times.clock import Clock

DEFAULT_PORT = 8642
READY_WITHIN_S = 30.0
ANSWERED_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05
QUICK = ClientTimeout(total=5.0)
LOG_HINT = "The lines above are the end of the daemon's log."
FIRST_CALL = "http://localhost/api/ingest?wait=3"

FIRST_ALERT: Mapping[str, object] = {
    "type": "text",
    "title": "Disk almost full on db-1",
    "content": "The data volume is 96 % full.\nAt this pace it is full in 40 minutes.",
    "source": "monitoring",
    "escalate_after": "25s",
    "close_after": "3m",
}
ALERT_BY_HAND: Mapping[str, object] = {
    "type": "text",
    "content": "Hello from a terminal",
    "escalate_after": "30s",
    "close_after": "2m",
}


@dataclass(frozen=True)
class Cast:
    """Who is in the sandbox, as chat ids."""

    anna: int
    ben: int
    ops: int
    escalation: int


@dataclass(frozen=True)
class Demo:
    """A running demo."""

    url: str
    folder: Folder
    cast: Cast
    sandbox: Sandbox
    backstage: Backstage


async def run_demo(*, port: int | None, open_browser: bool) -> int:
    """Run the demo until SIGINT, SIGTERM or SIGHUP, and return 0.

    Without `port` it is DEFAULT_PORT, or a free one where that is taken. Raises StartRefused.
    """
    stopping = _stopping()
    async with running_demo(port=port) as demo:
        print(_welcome(demo), flush=True)
        if open_browser and _has_desktop():
            await asyncio.to_thread(webbrowser.open, demo.url)
        await stopping.wait()
        print("Stopping.", flush=True)
    return 0


@asynccontextmanager
async def running_demo(*, port: int | None) -> AsyncIterator[Demo]:
    """Have a sandbox, its page and a daemon that has sent a first alert; all of it is gone after the block.

    Raises StartRefused.
    """
    with _listener(port) as listener, TemporaryDirectory(prefix="notifybot-demo-") as name:
        folder = Folder(Path(name))
        async with ClientSession(connector=UnixConnector(str(folder.socket))) as http:
            demo = _build(listener.getsockname()[1], folder, http)
            async with _serving(demo, listener), _daemon(demo):
                await _send_first_alert(demo)
                yield demo


def _build(port: int, folder: Folder, http: ClientSession) -> Demo:
    url = f"http://127.0.0.1:{port}"
    sandbox = Sandbox(token=_token())
    cast = _set_the_stage(sandbox)
    folder.config.write_text(_config(folder, cast, sandbox.token, url), "utf-8")
    daemon = DaemonProcess(folder, Clock())
    backstage = Backstage(daemon, http, port, folder.socket, _curl(folder, cast))
    return Demo(url, folder, cast, sandbox, backstage)


def _token() -> str:
    """A bot of its own for each demo: one bot has one daemon, also where two people try notifybot on one machine."""
    return f"{600_000_000 + secrets.randbelow(100_000_000)}:{secrets.token_urlsafe(26)}"


def _set_the_stage(sandbox: Sandbox) -> Cast:
    """Let two people, a group and a channel be there; each /start waits for the daemon, as it would at Telegram."""
    anna = sandbox.add_user("Anna", username="anna")
    ben = sandbox.add_user("Ben", username="ben")
    ops = sandbox.add_chat("supergroup", "Ops", members=[anna, ben])
    escalation = sandbox.add_chat("channel", "Escalation", members=[anna, ben])
    sandbox.say(ben, "Morning! db-1 has its new disk since last night.", chat=ops)
    sandbox.say(anna, "Great. I am on call today.", chat=ops)
    sandbox.say(ben, "/start")
    sandbox.say(anna, "/start")
    return Cast(anna.id, ben.id, ops.id, escalation.id)


def _config(folder: Folder, cast: Cast, token: str, url: str) -> str:
    wanted = {
        "telegram": {"token": token, "base_url": url},
        "data_dir": str(folder.path / "data"),
        "socket": {"path": str(folder.socket)},
        "alerts": {"escalation_channel": str(cast.escalation)},
    }
    return yaml.safe_dump(wanted, sort_keys=False)


def _curl(folder: Folder, cast: Cast) -> str:
    """A line for a terminal that sends an alert to Anna."""
    body = json.dumps({**ALERT_BY_HAND, "channel_id": str(cast.anna)})
    words = ["curl", "--unix-socket", str(folder.socket), "-H", "Content-Type: application/json", "-d", body]
    return shlex.join([*words, "http://localhost/api/ingest"])


@contextmanager
def _listener(port: int | None) -> Iterator[socket.socket]:
    """Listen on loopback. Raises StartRefused where the port that was asked for cannot be had."""
    try:
        listener = socket.create_server(("127.0.0.1", DEFAULT_PORT if port is None else port))
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            hint = "Choose another one with --port, or leave it away."
            raise StartRefused(f"The port cannot be used: {error.strerror}.", hint=hint) from error
        listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        yield listener


@asynccontextmanager
async def _serving(demo: Demo, listener: socket.socket) -> AsyncIterator[None]:
    app = make_app(demo.sandbox)
    add_demo_routes(app, demo.backstage)
    # A page that still follows the events would hold the end up for a minute.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _daemon(demo: Demo) -> AsyncIterator[None]:
    """Have the daemon run and answer. Raises StartRefused with the end of its log if it does not come up."""
    daemon = demo.backstage.daemon
    try:
        await daemon.start()
        if not await _until(lambda: _answers_or_ended(demo), within_s=READY_WITHIN_S) or not daemon.is_alive:
            raise StartRefused(_why_not(demo), hint=LOG_HINT)
        yield
    finally:
        await daemon.stop()


async def _until(look: Callable[[], Awaitable[bool]], *, within_s: float) -> bool:
    """Look at another process, which tells nothing by itself, until `look` says yes; False when the time ran out."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not await look():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
            return True
    return False


async def _answers_or_ended(demo: Demo) -> bool:
    return not demo.backstage.daemon.is_alive or await _answers(demo)


async def _answers(demo: Demo) -> bool:
    try:
        async with demo.backstage.http.get("http://localhost/health", timeout=QUICK):
            return True
    except (ClientError, OSError, TimeoutError):
        return False


def _why_not(demo: Demo) -> str:
    what = "does not answer" if demo.backstage.daemon.is_alive else "ended at once"
    return "\n".join([f"The daemon {what}.", *demo.folder.log_tail()])


async def _send_first_alert(demo: Demo) -> None:
    """Send it once Anna and Ben are answered, or after ANSWERED_WITHIN_S anyway: the page shows what is wrong.

    Raises StartRefused.
    """
    body = {**FIRST_ALERT, "channel_id": str(demo.cast.anna)}
    try:
        await _until(lambda: _are_answered(demo), within_s=ANSWERED_WITHIN_S)
        async with demo.backstage.http.post(FIRST_CALL, json=body, timeout=QUICK) as response:
            response.raise_for_status()
    except (ClientError, TimeoutError) as error:
        raise StartRefused(_why_not(demo), hint=LOG_HINT) from error


async def _are_answered(demo: Demo) -> bool:
    """Whether both people have the answer to their /start: it comes first in their chats, as it would in life."""
    chats = (demo.sandbox.messages(chat) for chat in (demo.cast.anna, demo.cast.ben))
    return all(any(message.sender.is_bot for message in messages) for messages in chats)


def _stopping() -> asyncio.Event:
    """An event that SIGINT, SIGTERM and the end of the terminal set."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _has_desktop() -> bool:
    """Whether a browser would open a window; elsewhere `webbrowser` may take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _welcome(demo: Demo) -> str:
    return f"""
notifybot demo: the real daemon beside a local Telegram. Nothing leaves this machine.

  The page       {demo.url}/
  From a shell   {demo.backstage.curl}
  Daemon's log   {demo.folder.log}
  Stop           Ctrl-C; everything of the demo is deleted
"""
