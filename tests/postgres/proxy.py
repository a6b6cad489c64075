"""A proxy between a client and the server that cuts the connection at an exact moment."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
"""File name of the server's socket, which clients expect."""
COMMIT = b"COMMIT\x00"
"""The end of a commit on the wire; `READ COMMITTED` must not match."""


class Cut(Enum):
    """Point at which the next commit is cut."""

    BEFORE = "before"
    """The server never gets it."""
    AFTER = "after"
    """The server commits, and its answer is lost."""
    UNNOTICED = "unnoticed"
    """The server never gets it, and believes that the client is still connected."""


class Proxy:
    """Forwards everything. `cut_at_commit` cuts one connection; the next one is forwarded again."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self._cut: Cut | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()

    def cut_at_commit(self, where: Cut) -> None:
        self._cut = where

    @property
    def has_cut(self) -> bool:
        return self._cut is None

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections; existing ones continue."""
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            server.connect(str(self._server / SOCKET))
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(65536):
                if self._cut is not None and COMMIT in data:
                    self._break_off(client, server, data)
                    return
                server.sendall(data)

    def _break_off(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        where, self._cut = self._cut, None
        client.shutdown(socket.SHUT_RDWR)
        if where is Cut.UNNOTICED:
            self._until_the_server_ends_it(server)
        if where is Cut.AFTER:
            server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            self._until_the_server_ends_it(
                server
            )  # the server finishes the commit before it notices the closed connection

    def _until_the_server_ends_it(self, server: socket.socket) -> None:
        while server.recv(65536):
            pass


def _copy(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)


@contextlib.contextmanager
def between(server: Path) -> Iterator[Proxy]:
    """A proxy in front of the server with its socket in this folder."""
    with tempfile.TemporaryDirectory(prefix="notifybot-proxy-") as folder:
        proxy = Proxy(Path(folder), server)
        thread = threading.Thread(target=proxy.serve, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            thread.join()
