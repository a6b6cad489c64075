"""Locks for a database or a bot, so that only one daemon uses it. The kernel frees them when the process ends."""

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Self

from notifybot.errors import StartRefused

HAS_ABSTRACT_SOCKETS = sys.platform == "linux"
REFUSED_STARTS = 64  # refused daemons that still learn the holder's pid; each stays in the holder's backlog
ONLY_ONE = "Stop the other daemon first"


class Held:
    """A held lock; ends with `release()`, the `with` block or the process."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free: Callable[[], None] | None = free

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        free, self._free = self._free, None
        if free is not None:
            free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def hold_file(path: Path) -> Held:
    """Lock the file `path`, created if missing, and write this process's id into it.

    The file is never removed, because two daemons could then lock two files of the same name. Raises StartRefused,
    naming the holder, if another process holds the lock.
    """
    fd = _open(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise StartRefused(
            f"Another daemon{_named(holder)} holds {path}.",
            hint=f"{ONLY_ONE}, or give this one a database and a socket of its own.",
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return Held(lambda: os.close(fd))


def hold_bot(token: str) -> Held:
    """Lock this token's bot for all users of this machine (on Linux: of this network namespace).

    Raises StartRefused, naming the holder, if another process holds the lock.
    """
    name = f"notifybot-{blake2b(token.encode(), key=b'notifybot: one daemon a bot', digest_size=16).hexdigest()}"
    if not HAS_ABSTRACT_SOCKETS:
        return hold_file(Path(tempfile.gettempdir(), f"{name}.lock"))
    address = f"\0{name}"
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(address)
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise StartRefused(f"Cannot lock this bot: {error.strerror}.") from error
        raise StartRefused(
            f"Another daemon{_named(_listening_pid(address))} already runs this bot.",
            hint=f"{ONLY_ONE}, or give this one the token of another bot.",
        ) from None
    lock.listen(REFUSED_STARTS)
    return Held(lock.close)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartRefused(
            f"The lock file {path} cannot be opened: {error.strerror}.",
            hint="Its folder must exist and be writable by the daemon's user.",
        ) from error


def _named(pid: str) -> str:
    return f" (process {pid})" if pid.isdecimal() else ""


def _listening_pid(address: str) -> str:
    """Return the pid of the process that listens at `address`, "" if unknown."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        probe.connect(address)
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return str(struct.unpack("3i", credentials)[0])
    return ""
