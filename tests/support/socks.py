"""A SOCKS5 proxy (RFC 1928, 1929) that can refuse in every way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

CHUNK = 65_536
OK, PASSWORD, NONE = 0, 2, 255


@dataclass
class SocksProxy:
    """`users`: None needs no password. `reply`: refuses connections with this code. `names`: where they lead."""

    users: dict[str, str] | None = None
    reply: int = OK
    greeting: bytes | None = None
    """Replaces the first answer; then the connection closes."""
    names: dict[str, int] = field(default_factory=dict)
    """Ports on this machine behind host names that only the proxy knows."""
    asked: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def opens(self) -> None:
        """Listen, on the same port again after `closes`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def closes(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                if await self._admits(reader, writer):
                    await self._connect(reader, writer)
        finally:
            writer.close()

    async def _admits(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        wanted = OK if self.users is None else PASSWORD
        if self.greeting is not None or wanted not in offered:
            writer.write(bytes([5, NONE]) if self.greeting is None else self.greeting)
            return False
        writer.write(bytes([5, wanted]))
        if self.users is None:
            return True
        _, size = await reader.readexactly(2)
        user = (await reader.readexactly(size)).decode()
        password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        is_right = self.users.get(user) == password
        writer.write(bytes([1, OK if is_right else 1]))
        return is_right

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the wanted name and port; pass the bytes on in both directions."""
        assert (await reader.readexactly(4))[3] == 3, "the client should leave names to the proxy"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        self.asked.append(f"{host}:{int.from_bytes(await reader.readexactly(2))}")
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self.reply != OK:
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.names[host])
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def socks_proxy(**options: object) -> AsyncIterator[SocksProxy]:
    proxy = SocksProxy(**options)  # type: ignore[arg-type]
    await proxy.opens()
    try:
        yield proxy
    finally:
        await proxy.closes()
