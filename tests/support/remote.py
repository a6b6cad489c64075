"""A daemon that also listens on TCP, and a client for it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from notifybot.auth.throttle import Throttle
from notifybot.web.guard import CALLERS
from tests.support.door import Answer, Door, Json, Line, door

ANYWHERE = "127.0.0.1:0"


@dataclass(frozen=True)
class Wire(Door):
    """TCP client of a daemon; `socket` is its unix socket, where the tests are root."""

    port: int
    socket: Door
    tls: ssl.SSLContext | None = None

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Line]:
        name = "localhost" if self.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def bearing(self, token: str, method: str, target: str, body: object = None, **headers: str) -> Answer:
        return await self.ask(method, target, body, Authorization=f"Bearer {token}", **headers)

    def forget_guesses(self) -> None:
        """Reset the count of wrong credentials."""
        self.daemon.runner.app[CALLERS].remote.throttle = Throttle()

    async def token(self, name: str = "t", **fields: object) -> str:
        """Create a token and return its secret."""
        answer = await self.socket.ask("POST", "/api/admin/tokens", {"name": name, **fields})
        assert answer.status == 200, answer
        secret = answer.json["token"]
        assert isinstance(secret, str)
        return secret


@contextlib.asynccontextmanager
async def wire(
    folder: Path, http: str = "", config: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Run a daemon on both listeners; `http` are more keys of that section, `config` more sections."""
    more = f", {http}" if http else ""
    async with door(folder, f"http: {{listen: '{ANYWHERE}'{more}}}\n{config}") as opened:
        yield Wire(opened.path, opened.daemon, port_of(opened.daemon.runner), opened, tls)


def port_of(runner: web.AppRunner) -> int:
    """Return its TCP port."""
    ports = [address[1] for address in runner.addresses if isinstance(address, tuple)]
    assert len(ports) == 1, runner.addresses
    return int(ports[0])


MESSAGE: Json = {"content": "disk full", "channel_id": -1001}
