"""The listeners and the aiohttp application behind them."""

import grp
import logging
import os
import socket
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from notifybot.errors import StartRefused
from notifybot.routes import problems, table
from notifybot.routes.bodies import MAX_BODY_BYTES
from notifybot.routes.route import RUNTIME
from notifybot.runtime import Runtime

FINISH_WITHIN_S = 5.0
BACKLOG = 1024
log = logging.getLogger(__name__)


class _ProblemProtocol(RequestHandler):
    """Answers what is not even HTTP as every other refusal; aiohttp would answer plain text and log a traceback."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        self.force_close()
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return problems.internal(request, exc)
        return problems.from_status(status, "This is not a readable HTTP request.")


class _ProblemServer(web.Server):
    def __call__(self) -> RequestHandler:
        return _ProblemProtocol(self, loop=self._loop, **self._kwargs)


class _ProblemRunner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _ProblemServer(
            made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs
        )


def make_app(runtime: Runtime) -> web.Application:
    app = web.Application(middlewares=[problems.as_problems], client_max_size=MAX_BODY_BYTES)
    app[RUNTIME] = runtime
    for route in table():
        app.router.add_route(route.method, route.path, route.handler)
    return app


async def listen(runtime: Runtime, inherited: list[socket.socket]) -> web.AppRunner:
    """Accept requests on the sockets that systemd handed over, else on a unix socket of our own.

    Raises StartRefused where the socket cannot be made.
    """
    runner = _ProblemRunner(make_app(runtime), access_log=None, handle_signals=False, shutdown_timeout=FINISH_WITHIN_S)
    await runner.setup()
    own = [] if inherited else [_unix_socket(runtime)]
    for listener in inherited or own:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        log.info("listening", extra={"action": "listening", "address": str(listener.getsockname())})
    return runner


def _unix_socket(runtime: Runtime) -> socket.socket:
    """Bind the configured path with its mode and group from the first moment on.

    The database's lock is held already, so whatever lies at the path was left by a daemon that is gone.
    """
    settings = runtime.config.socket
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        settings.path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(settings.path)
        before = os.umask(0o777 & ~settings.mode)
        try:
            listener.bind(str(settings.path))
        finally:
            os.umask(before)
        if settings.group is not None:
            os.chown(settings.path, -1, grp.getgrnam(settings.group).gr_gid)
        return listener
    except (OSError, KeyError) as error:
        listener.close()
        raise _no_socket(settings.path, error) from error


def _remove_stale(path: Path) -> None:
    if path.is_socket():
        path.unlink()


def _no_socket(path: Path, error: Exception) -> StartRefused:
    reason = f"there is no group {error}" if isinstance(error, KeyError) else str(error)
    return StartRefused(
        f"The socket {path} cannot be made: {reason}.",
        hint="socket.path and socket.group in the config say where it lies and whose it is.",
    )


async def close(runner: web.AppRunner) -> None:
    """Take no new requests and finish those under way, for at most FINISH_WITHIN_S. The socket's file stays: a client
    that comes now is refused by it just as it would be by a missing one, and the next start replaces it."""
    await runner.cleanup()
