"""TCP proxy in front of the sandbox that can go silent: it accepts connections and bytes, but never responds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from ssl import SSLContext
from urllib.parse import urlsplit

CHUNK = 65_536


class SilentProxy:
    """While `is_silent`, nothing is forwarded; connections from that time never recover, like behind a stalled NAT
    or TLS proxy."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.is_silent = False
        self.connections = 0
        self._swallowed = bytearray()
        self._has_swallowed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def swallows(self, what: bytes) -> None:
        """Wait until bytes that contain `what` have arrived without being forwarded."""
        while what not in self._swallowed:
            self._has_swallowed.clear()
            await self._has_swallowed.wait()

    async def close(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            there, back = await asyncio.open_connection(*self._target)
            with contextlib.closing(back):
                ways = [asyncio.create_task(self._pass(*way)) for way in ((reader, back), (there, writer))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        is_dead = self.is_silent
        while data := await source.read(CHUNK):
            is_dead = is_dead or self.is_silent
            if is_dead:
                self._swallowed += data
                self._has_swallowed.set()
            else:
                to.write(data)
                await to.drain()


@contextlib.asynccontextmanager
async def silent_proxy(url: str, *, tls: SSLContext | None = None) -> AsyncIterator[tuple[SilentProxy, str]]:
    """Run a proxy in front of the server at `url`; yield it and its URL. With `tls`, it serves TLS."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = SilentProxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, ssl=tls)
    try:
        scheme = parts.scheme if tls is None else "https"
        yield proxy, f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await proxy.close()
