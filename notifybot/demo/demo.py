"""The demo: the real daemon with a local Telegram, and a page to chat, break things and kill the daemon."""

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
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from notifybot.demo.daemon import DaemonProcess, Folder
from notifybot.demo.picture import disk_chart
from notifybot.demo.routes import Backstage, add_demo_routes
from notifybot.demo.welcome import welcome
from notifybot.errors import StartRefused
from notifybot.sandbox import Sandbox, make_app
from notifybot.times.clock import Clock

DEFAULT_PORT = 8642
START_TIMEOUT_S = 30.0
REPLY_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.05
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
    """Chat ids of the people and groups in the sandbox."""

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
    """Run the demo until SIGINT, SIGTERM or SIGHUP, and return 0. Raises StartRefused.

    `port` None means DEFAULT_PORT, or a free port if that is taken.
    """
    stopping = _stopping()
    async with running_demo(port=port) as demo:
        stage, has_desktop = demo.backstage, _has_desktop()
        text = welcome(demo.folder, page=stage.address, port=stage.port, curl=stage.curl, has_desktop=has_desktop)
        print(text, flush=True)
        if open_browser and has_desktop:
            await asyncio.to_thread(webbrowser.open, demo.backstage.address)
        await stopping.wait()
        print("Stopping.", flush=True)
    return 0


@asynccontextmanager
async def running_demo(*, port: int | None) -> AsyncIterator[Demo]:
    """Run a sandbox, its page and a daemon that has sent a first alert. Raises StartRefused.

    Nothing is left after the block.
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
    folder.picture.write_bytes(disk_chart())
    folder.config.write_text(_config(folder, cast, sandbox.token, url), "utf-8")
    daemon = DaemonProcess(folder, Clock())
    backstage = Backstage(daemon, http, port, folder.socket, _curl(folder, cast))
    return Demo(url, folder, cast, sandbox, backstage)


def _token() -> str:
    """Make a token for a new bot: a bot has one daemon, and two people may run the demo on one machine."""
    return f"{600_000_000 + secrets.randbelow(100_000_000)}:{secrets.token_urlsafe(26)}"


def _set_the_stage(sandbox: Sandbox) -> Cast:
    """Create two people, a group and a channel; each /start waits for the daemon, as at Telegram."""
    anna = sandbox.add_user("Anna", username="anna")
    ben = sandbox.add_user("Ben", username="ben")
    ops = sandbox.add_chat("supergroup", "Ops", members=[anna, ben], chat_id=-1001234567890)
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
        "alerts": {
            "escalation_channel": str(cast.escalation),
            "policies": {"night": {"steps": [{"after": "5m", "to": ["oncall"]}]}},
        },
        "recipients": {name: [chat] for name, chat in asdict(cast).items()},
        "rotations": {"oncall": {"members": ["anna", "ben"], "start": Clock().now().date(), "handover": "@daily"}},
    }
    return yaml.safe_dump(wanted, sort_keys=False)


def _curl(folder: Folder, cast: Cast) -> str:
    """Compose a shell command that sends an alert to Anna."""
    body = json.dumps({**ALERT_BY_HAND, "channel_id": str(cast.anna)})
    words = ["curl", "--unix-socket", str(folder.socket), "-H", "Content-Type: application/json", "-d", body]
    return shlex.join([*words, "http://localhost/api/ingest"])


@contextmanager
def _listener(port: int | None) -> Iterator[socket.socket]:
    """Listen on loopback. Raises StartRefused if the requested port is not available."""
    wanted = DEFAULT_PORT if port is None else port
    try:
        listener = socket.create_server(("127.0.0.1", wanted))
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            hint = "Choose another one with --port, or leave --port out."
            raise StartRefused(f"Cannot listen on port {wanted}: {error.strerror}.", hint=hint) from error
        listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        yield listener


@asynccontextmanager
async def _serving(demo: Demo, listener: socket.socket) -> AsyncIterator[None]:
    app = make_app(demo.sandbox)
    add_demo_routes(app, demo.backstage)
    # An open page that follows the events would delay the shutdown by a minute.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _daemon(demo: Demo) -> AsyncIterator[None]:
    """Run the daemon and wait until it responds. Raises StartRefused with the end of its log if it does not."""
    daemon = demo.backstage.daemon
    try:
        await daemon.start()
        if not await _until(lambda: _answers_or_exited(demo), within_s=START_TIMEOUT_S) or not daemon.is_alive:
            raise StartRefused(_start_failure(demo), hint=LOG_HINT)
        yield
    finally:
        await daemon.stop()


async def _until(look: Callable[[], Awaitable[bool]], *, within_s: float) -> bool:
    """Poll another process until `look` is true; return False after `within_s`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not await look():  # noqa: ASYNC110
                await asyncio.sleep(POLL_INTERVAL_S)
            return True
    return False


async def _answers_or_exited(demo: Demo) -> bool:
    return not demo.backstage.daemon.is_alive or await _answers(demo)


async def _answers(demo: Demo) -> bool:
    try:
        async with demo.backstage.http.get("http://localhost/health", timeout=QUICK):
            return True
    except (ClientError, OSError, TimeoutError):
        return False


def _start_failure(demo: Demo) -> str:
    problem = "does not respond" if demo.backstage.daemon.is_alive else "exited at once"
    return "\n".join([f"The daemon {problem}.", *demo.folder.log_tail()])


async def _send_first_alert(demo: Demo) -> None:
    """Send the alert once Anna and Ben have a reply, or after REPLY_TIMEOUT_S: the page shows what is wrong then.

    Raises StartRefused.
    """
    body = {**FIRST_ALERT, "channel_id": str(demo.cast.anna)}
    try:
        await _until(lambda: _have_replies(demo), within_s=REPLY_TIMEOUT_S)
        async with demo.backstage.http.post(FIRST_CALL, json=body, timeout=QUICK) as response:
            response.raise_for_status()
    except (ClientError, TimeoutError) as error:
        raise StartRefused(_start_failure(demo), hint=LOG_HINT) from error


async def _have_replies(demo: Demo) -> bool:
    """Check that both people have the reply to their /start, which should come first in their chats."""
    chats = (demo.sandbox.messages(chat) for chat in (demo.cast.anna, demo.cast.ben))
    return all(any("You are subscribed" in message.text for message in messages) for messages in chats)


def _stopping() -> asyncio.Event:
    """Return an event that SIGINT, SIGTERM and SIGHUP set."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _has_desktop() -> bool:
    """Check for a desktop: without one, `webbrowser` may take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
