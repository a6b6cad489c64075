"""The demo's own routes beside the sandbox's: the daemon's socket for the page, the plug, and who may use them."""

import json
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, web
from aiohttp.typedefs import Handler

from notifybot.demo.daemon import DaemonProcess
from notifybot.errors import NotifybotError

MOST_DOWN_S = 60.0
DOWN_S = 2.0
# The daemon lets a caller wait 30 s for a delivery; the proxy outlasts it.
PROXY_TIMEOUT = ClientTimeout(total=40.0, sock_connect=2.0)
PASSED_ON = ("Accept", "Content-Type", "Idempotency-Key")
PASSED_BACK = ("Allow", "Content-Type", "Retry-After")
LOOPBACK_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Backstage:
    """What the routes need. `http` is connected to the daemon's socket, `port` is the page's, `curl` a ready line."""

    daemon: DaemonProcess
    http: ClientSession
    port: int
    socket: Path
    curl: str


BACKSTAGE = web.AppKey("backstage", Backstage)


def add_demo_routes(app: web.Application, backstage: Backstage) -> None:
    """Add /demo and /daemon to the sandbox's application, and close all of it to other sites' pages."""
    app[BACKSTAGE] = backstage
    app.middlewares.append(_only_our_page)
    app.router.add_get("/demo/status", _show_status)
    app.router.add_post("/demo/plug", _pull_the_plug)
    app.router.add_post("/demo/restart", _restart)
    app.router.add_route("*", "/daemon/{path:.*}", _pass_on)


@web.middleware
async def _only_our_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site's page could have sent, be it under a name of its own that points here."""
    if reason := _refusal(request):
        return _problem(403, "Forbidden", reason)
    return await handler(request)


def _refusal(request: web.Request) -> str | None:
    """Why a request is refused, or None. A browser names the Origin with every change; the bot never does."""
    hosts = {f"{name}:{request.app[BACKSTAGE].port}" for name in LOOPBACK_NAMES}
    origin = request.headers.get("Origin")
    if request.host not in hosts:
        return "The demo answers only under its own address."
    if origin is not None and origin.removeprefix("http://") not in hosts:
        return "The demo answers only its own page."
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.path != "/":
        return "The demo answers only its own page."
    is_change = request.method not in ("GET", "HEAD")
    if origin is None and is_change and request.path.startswith(("/daemon/", "/demo/")):
        return "Here only the demo's page may change something. From a terminal, use the daemon's socket."
    return None


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
    seconds = asked.get("down_for_s", DOWN_S) if isinstance(asked, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_DOWN_S:
        raise NotifybotError(f"down_for_s is a number of seconds from 0 to {MOST_DOWN_S:g}.")
    return float(seconds)


async def _pass_on(request: web.Request) -> web.Response:
    """Pass a request on to the daemon's socket, and its answer back."""
    body = await request.read()
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    try:
        async with request.app[BACKSTAGE].http.request(
            request.method, _target(request), data=body, headers=headers, timeout=PROXY_TIMEOUT
        ) as answer:
            back = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=back)
    except ClientConnectorError:
        return _problem(503, "Not available now", "The daemon is down. Nothing was accepted.")
    except (ClientError, TimeoutError):
        return _problem(502, "Answer cut off", "The daemon went away before it answered; it may have accepted this.")


def _target(request: web.Request) -> str:
    path = request.rel_url.raw_path.removeprefix("/daemon")
    query = request.rel_url.raw_query_string
    return f"http://localhost{path}" + (f"?{query}" if query else "")


def _problem(status: int, title: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")
