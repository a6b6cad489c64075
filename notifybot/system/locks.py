"""Locks, so that only one daemon uses a database. The kernel frees them when the process ends."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from notifybot.errors import StartRefused

ONLY_ONE = "Stop the other daemon first"


class Held:
    """A held lock; ends with `release()`, the `with` block or the process. `warnings`: sentences for the operator."""

    def __init__(self, free: Callable[[], None], *, warnings: tuple[str, ...] = ()) -> None:
        self._free: Callable[[], None] | None = free
        self.warnings = warnings

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
            f"Another daemon{named(holder)} holds {path}.",
            hint=f"{ONLY_ONE}, or give this one a database and a socket of its own.",
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return Held(lambda: os.close(fd))


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartRefused(
            f"The lock file {path} cannot be opened: {error.strerror}.",
            hint="Its folder must exist and be writable by the daemon's user.",
        ) from error


def named(pid: str) -> str:
    """Return the process in brackets, or nothing if its id is unknown."""
    return f" (process {pid})" if pid.isdecimal() else ""
