"""Sockets to listen on: unix sockets, and TCP with or without TLS."""

import asyncio
import grp
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from notifybot.config.model import Config, Socket, Tls
from notifybot.config.types import Listen
from notifybot.errors import StartRefused

BACKLOG = 1024
HANDSHAKE_WITHIN_S = 10.0


@dataclass(frozen=True)
class Listener:
    """A bound socket; `tls` if it is encrypted."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None

    @property
    def path(self) -> Path | None:
        """The file of a unix socket; None for TCP and for abstract sockets."""
        name = self.socket.getsockname()
        return Path(name) if isinstance(name, str) and name.startswith("/") else None

    def __str__(self) -> str:
        name = self.socket.getsockname()
        return Listen(name[0], name[1]).__str__() if isinstance(name, tuple) else str(name)


class Site(web.SockSite):
    """aiohttp's site with a shorter timeout for TLS handshakes, which it does not pass on itself."""

    def __init__(self, runner: web.BaseRunner, listener: Listener) -> None:
        super().__init__(runner, listener.socket, ssl_context=listener.tls, backlog=BACKLOG)
        self.listener = listener

    async def start(self) -> None:
        if self.listener.tls is None:
            await super().start()
            return
        await web.BaseSite.start(self)
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            sock=self.listener.socket,
            ssl=self.listener.tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
        )


def open_all(config: Config, inherited: list[socket.socket]) -> list[Listener]:
    """Open all listeners. Raise StartRefused if one cannot be opened, and close the others."""
    tls = None if config.http.tls is None else _tls(config.http.tls)
    opened: list[Listener] = []
    try:
        opened += [Listener(each, tls if is_tcp(each) else None) for each in inherited]
        if not inherited:
            opened.append(open_unix(config.socket))
        if config.http.listen is not None and not any(map(is_tcp, inherited)):
            opened += [Listener(each, tls) for each in _tcp_sockets(config.http.listen)]
    except StartRefused:
        for listener in opened:
            listener.socket.close()
        raise
    return opened


def open_unix(settings: Socket) -> Listener:
    """Open our own unix socket. Raise StartRefused if that is impossible."""
    return Listener(_unix_socket(settings))


def is_tcp(listener: socket.socket) -> bool:
    return listener.family in (socket.AF_INET, socket.AF_INET6)


def _tls(files: Tls) -> ssl.SSLContext:
    """Load the certificate, for TLS 1.2 and newer. Raise StartRefused if it cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise StartRefused(
            f"TLS does not work with {files.certificate} and {files.key}: {reason}.",
            hint="http.tls needs the certificate with its chain and its private key, both in PEM, without a password.",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _tcp_sockets(listen: Listen) -> Iterator[socket.socket]:
    """Bind each address of the host."""
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, *_, address in dict.fromkeys(found):
            yield _tcp_socket(family, address)
    except OSError as error:
        raise StartRefused(
            f"Cannot listen on {listen}: {error.strerror or error}.",
            hint="Check http.listen; another program may use this port.",
        ) from error


def _tcp_socket(family: int, address: object) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)  # type: ignore[arg-type] # bind takes what getaddrinfo returns
    except OSError:
        opened.close()
        raise
    return opened


def _unix_socket(settings: Socket) -> socket.socket:
    """Bind the configured path; its mode holds from the start."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_passable(settings.path.parent)
        _remove_stale(settings.path)
        before = os.umask(0o777 & ~settings.mode)
        try:
            listener.bind(str(settings.path))
        finally:
            os.umask(before)
        if settings.group is not None:
            os.chown(settings.path, -1, _group_id(settings.group))
        return listener
    except OSError as error:
        listener.close()
        raise StartRefused(
            f"Cannot create the socket {settings.path}: {error.strerror or error}.",
            hint="Check socket.path and socket.group.",
        ) from error


def _make_passable(folder: Path) -> None:
    """Create the folder, so that callers can reach the socket whatever the umask."""
    before = os.umask(0o022)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(before)


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(f"there is no group {name!r}") from None


def _remove_stale(path: Path) -> None:
    """Remove the socket of a daemon that has ended. Raise OSError if another daemon responds."""
    if not path.is_socket():
        if path.exists():
            raise OSError("a file that is not a socket exists there")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # it is alive, with a full backlog
    raise OSError("another daemon listens on it")
