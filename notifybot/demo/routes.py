"""Routes of the demo: a proxy to the daemon's socket, killing and restarting the daemon, and access control."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, web
from aiohttp.typedefs import Handler

from notifybot.demo.daemon import DaemonProcess
from notifybot.errors import NotifybotError

MAX_DOWN_S = 60.0
DEFAULT_DOWN_S = 2.0
# Longer than the 30 s that the daemon lets a caller wait for a delivery.
PROXY_TIMEOUT = ClientTimeout(total=40.0, sock_connect=2.0)
REQUEST_HEADERS = ("Accept", "Content-Type", "Idempotency-Key")
KEY = "key"
RESPONSE_HEADERS = ("Allow", "Content-Type", "Retry-After")
BOT_PATHS = ("/bot", "/file/bot")
"""Paths of the Bot API, which have the token in them."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Backstage:
    """State of the routes. `http` is connected to the daemon's socket, `port` is the page's, `curl` a shell command.

    `key` is in the page's address: other users of this machine do not have it.
    """

    daemon: DaemonProcess
    http: ClientSession
    port: int
    socket: Path
    curl: str
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?{KEY}={self.key}"

    @property
    def cookie(self) -> str:
        """Name of the cookie with the key: cookies do not differ by port."""
        return f"notifybot_demo_{self.port}"


BACKSTAGE = web.AppKey("backstage", Backstage)


def add_demo_routes(app: web.Application, backstage: Backstage) -> None:
    """Add /demo and /daemon to the sandbox's application, and refuse requests from other sites."""
    app[BACKSTAGE] = backstage
    app.middlewares.append(_only_our_page)
    app.router.add_get("/demo/status", _show_status)
    app.router.add_post("/demo/plug", _pull_the_plug)
    app.router.add_post("/demo/restart", _restart)
    app.router.add_route("*", "/daemon/{path:.*}", _proxy)


@web.middleware
async def _only_our_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that another site's page or another user of this machine could have sent."""
    if reason := _refusal(request):
        return _problem(403, "Forbidden", reason)
    response = await handler(request)
    if request.path == "/" and not response.prepared:
        backstage = request.app[BACKSTAGE]
        response.set_cookie(backstage.cookie, backstage.key, httponly=True, samesite="Strict")
    return response


def _refusal(request: web.Request) -> str | None:
    """Return the reason to refuse a request, or None. Browsers send Origin with every change; the bot never does."""
    hosts = {f"{name}:{request.app[BACKSTAGE].port}" for name in LOOPBACK_NAMES}
    origin = request.headers.get("Origin")
    if request.host not in hosts:
        return "The demo serves only its own address."
    if origin is not None and origin.removeprefix("http://") not in hosts:
        return "The demo serves only its own page."
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.path != "/":
        return "The demo serves only its own page."
    if not (_has_key(request) or request.path.startswith(BOT_PATHS)):
        return "Open the address that `notifybot demo` printed: it contains a key."
    is_change = request.method not in ("GET", "HEAD")
    if origin is None and is_change and request.path.startswith(("/daemon/", "/demo/")):
        return "Only the demo's page may make changes here. From a terminal, use the daemon's socket."
    return None


def _has_key(request: web.Request) -> bool:
    backstage = request.app[BACKSTAGE]
    given = request.query.get(KEY) if request.path == "/" else None
    return any(
        secrets.compare_digest(each.encode(), backstage.key.encode())
        for each in (given, request.cookies.get(backstage.cookie))
        if each is not None
    )


async def _show_status(request: web.Request) -> web.Response:
    return _status(request.app[BACKSTAGE])


async def _pull_the_plug(request: web.Request) -> web.Response:
    backstage = request.app[BACKSTAGE]
    try:
        await backstage.daemon.pull_the_plug(down_for_s=_down_for_s(await request.read()))
    except NotifybotError as error:
        return _problem(error.code, error.title, error.detail)
    return _status(backstage, code=202)


async def _restart(request: web.Request) -> web.Response:
    backstage = request.app[BACKSTAGE]
    await backstage.daemon.restart()
    return _status(backstage)


def _status(backstage: Backstage, *, code: int = 200) -> web.Response:
    daemon = backstage.daemon
    about = {
        "pid": daemon.pid,
        "alive": daemon.is_alive,
        "started_at": daemon.started_at.isoformat() if daemon.started_at else None,
        "kills": daemon.kills,
    }
    return web.json_response({"daemon": about, "socket": str(backstage.socket), "curl": backstage.curl}, status=code)


def _down_for_s(body: bytes) -> float:
    """Read `{down_for_s?}`. Raises NotifybotError."""
    try:
        asked: object = json.loads(body or b"{}")
    except ValueError as error:
        raise NotifybotError("The body is not JSON.") from error
    seconds = asked.get("down_for_s", DEFAULT_DOWN_S) if isinstance(asked, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_DOWN_S:
        raise NotifybotError(f"down_for_s must be a number of seconds from 0 to {MAX_DOWN_S:g}.")
    return float(seconds)


async def _proxy(request: web.Request) -> web.Response:
    """Forward a request to the daemon's socket. The daemon would read files for it with the rights of our user."""
    body = await request.read()
    if _names_a_file(body):
        return _problem(403, "Forbidden", "The page may not name files of this machine: upload the file instead.")
    headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
    try:
        async with request.app[BACKSTAGE].http.request(
            request.method, _target(request), data=body, headers=headers, timeout=PROXY_TIMEOUT
        ) as answer:
            back = {name: answer.headers[name] for name in RESPONSE_HEADERS if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=back)
    except ClientConnectorError:
        return _problem(503, "Not available now", "The daemon is down. Nothing was accepted.")
    except (ClientError, TimeoutError):
        return _problem(502, "Response cut off", "The daemon stopped before it responded; it may have accepted this.")


def _names_a_file(body: bytes) -> bool:
    """Search JSON and forms alike for the field, in any spelling that JSON allows."""
    try:
        asked: object = json.loads(body)
    except (ValueError, RecursionError):
        return b"photo_path" in body
    return isinstance(asked, dict) and "photo_path" in asked


def _target(request: web.Request) -> str:
    path = request.rel_url.raw_path.removeprefix("/daemon")
    query = request.rel_url.raw_query_string
    return f"http://localhost{path}" + (f"?{query}" if query else "")


def _problem(status: int, title: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")
