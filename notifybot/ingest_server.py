"""The HTTP server: its listeners, and the aiohttp application behind them."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from aiohttp import web

from notifybot.config.model import Config
from notifybot.errors import StartRefused
from notifybot.inbound.refusals import Refusals
from notifybot.routes import inbound, short_routes, table
from notifybot.runtime import Runtime
from notifybot.system.kept_files import KeptFile
from notifybot.web import listeners, problems
from notifybot.web.bodies import MAX_BODY_BYTES
from notifybot.web.connections import PIECE_BYTES, CountingServer, ProblemRunner
from notifybot.web.guard import CALLERS, Callers, guarded
from notifybot.web.route import RUNTIME, SHORT_ROUTES

FINISH_WITHIN_S = 5.0
DRAIN_WITHIN_S = 2.0
"""At a stop, the wait for connections that have not sent a request yet."""
DRAIN_CHECK_S = 0.02
REQUEST_WITHIN_S = 60.0
"""A connection is closed if its request line and headers take longer."""
WANTED_OPEN_FILES = 4096
log = logging.getLogger(__name__)


def make_app(runtime: Runtime) -> web.Application:
    app = web.Application(middlewares=[problems.as_problems], client_max_size=MAX_BODY_BYTES)
    app[RUNTIME] = runtime
    app[CALLERS] = Callers.of(runtime)
    app[SHORT_ROUTES] = short_routes()
    app[inbound.REFUSALS] = Refusals()
    for route in (*table(), *inbound.foreign(runtime.config)):
        handler = guarded(route)
        app.router.add_route(route.method, route.path, handler)
        if route.method == "GET" and route.identify is None:  # ntfy publishes by GET
            app.router.add_route("HEAD", route.path, handler)
    return app


async def listen(runtime: Runtime, inherited: list[socket.socket]) -> web.AppRunner:
    """Accept requests on the sockets from systemd, or else on our own unix socket, and on `http.listen`.

    Raises StartRefused where a socket cannot be created, or TLS has no usable certificate.
    """
    _raise_open_file_limit()
    runner = ProblemRunner(
        make_app(runtime),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=FINISH_WITHIN_S,
        keepalive_timeout=REQUEST_WITHIN_S,
        auto_decompress=False,
        read_bufsize=PIECE_BYTES,
    )
    await runner.setup()
    try:
        for listener in listeners.open_all(runtime.config, inherited):
            await listeners.Site(runner, listener).start()
            log.info("listening", extra={"action": "listening", "address": str(listener)})
    except StartRefused:
        await runner.cleanup()
        raise
    return runner


def kept_files(runner: web.AppRunner, config: Config, *, is_inherited: bool) -> Iterator[KeptFile]:
    """Yield the files of our unix sockets. Ours is created again if it is removed; systemd's only by systemd."""
    for site in _unix_sites(runner):
        path = site.listener.path
        assert path is not None
        yield KeptFile(
            "socket", path, partial(_ask_systemd, path) if is_inherited else partial(_relisten, runner, config)
        )


async def _ask_systemd(path: Path) -> str:
    return (
        f"The socket {path} was removed, so callers cannot connect. systemd holds it:"
        " run `systemctl restart notifybot.socket`."
    )


async def _relisten(runner: web.AppRunner, config: Config) -> None:
    former = list(_unix_sites(runner))
    await listeners.Site(runner, listeners.open_unix(config.socket)).start()
    for site in former:
        await site.stop()


def _unix_sites(runner: web.AppRunner) -> Iterator[listeners.Site]:
    return (each for each in runner.sites if isinstance(each, listeners.Site) and each.listener.path is not None)


def _raise_open_file_limit() -> None:
    """Allow more open files than the usual 1024, which one burst of callers would use up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(WANTED_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def close(runner: web.AppRunner) -> None:
    """Accept no more requests, and finish those in progress within FINISH_WITHIN_S.

    The socket's file stays: clients are refused just as without it, and the next start replaces it.
    """
    for site in list(runner.sites):
        await site.stop()
    await _drain(runner)
    await runner.cleanup()


async def _drain(runner: web.AppRunner) -> None:
    """Answer those who connected just before the stop."""
    give_up_at = asyncio.get_running_loop().time() + DRAIN_WITHIN_S
    await asyncio.sleep(DRAIN_CHECK_S)  # until then the server does not know who was accepted
    while isinstance(runner.server, CountingServer) and runner.server.has_newcomers():
        if asyncio.get_running_loop().time() >= give_up_at:
            return
        await asyncio.sleep(DRAIN_CHECK_S)
