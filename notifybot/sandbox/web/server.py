"""Serve the Bot API, the control API and the chat page on one loopback port."""

import asyncio
import email.utils
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path

from aiohttp import web

from notifybot.sandbox.bot_api.http import answer_call, answer_download
from notifybot.sandbox.bot_api.webhook import deliver_updates
from notifybot.sandbox.sandbox import Sandbox
from notifybot.sandbox.web.control import add_control_routes

# Above Telegram's limit, so that Telegram's own error is the response.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
SHUTDOWN_TIMEOUT_S = 1.0
PAGE = Path(str(files("notifybot.sandbox").joinpath("page")))


def make_app(sandbox: Sandbox) -> web.Application:
    """Build the application; routes may be added before it starts."""
    app = web.Application(client_max_size=MAX_REQUEST_BYTES)

    async def bot_api(request: web.Request) -> web.StreamResponse:
        return await answer_call(request, sandbox)

    async def download(request: web.Request) -> web.StreamResponse:
        return await answer_download(request, sandbox)

    for verb in ("GET", "POST"):
        app.router.add_route(verb, "/bot{token}/{method}", bot_api)
    app.router.add_get("/file/bot{token}/{path:.+}", download)
    add_control_routes(app, sandbox)
    app.router.add_get("/", _page)
    app.router.add_get(r"/{file:[\w-]+\.(?:css|js|svg|png|woff2)}", _page)
    app.cleanup_ctx.append(_delivering(sandbox))
    app.on_shutdown.append(lambda _: _close(sandbox))

    async def add_date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = email.utils.formatdate(sandbox.now(), usegmt=True)

    app.on_response_prepare.append(add_date)
    return app


@asynccontextmanager
async def serving(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback while the block runs; yields the URL without a trailing slash."""
    runner = web.AppRunner(
        make_app(sandbox), access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_TIMEOUT_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _page(request: web.Request) -> web.StreamResponse:
    path = PAGE / request.match_info.get("file", "index.html")
    if not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


def _delivering(sandbox: Sandbox) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(deliver_updates(sandbox.world))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run


async def _close(sandbox: Sandbox) -> None:
    """Wake all waiting calls, so that open connections end at once."""
    sandbox.close()
