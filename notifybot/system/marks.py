"""Marks of the work under way, in a file that outlives the process: the next one reads what the last one was doing.

A mark is one write to the page cache, without fsync: it survives the death of the process, not that of the machine.
Deaths of an earlier boot are not counted, so a power failure blames nothing.
"""

import contextlib
import fcntl
import logging
import os
import secrets
from pathlib import Path

FILE = "under-way"
"""In data_dir."""
SLOTS = 256
"""Marks at a time. Work that finds no slot is done without."""
SLOT_BYTES = 128
log = logging.getLogger(__name__)


class Marks:
    """Marks of one process. `left`: those of the process before, if it died in this boot; `process`: its id."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self.left: tuple[str, ...] = ()
        self.process = ""
        self._boot_id = boot_id
        self._free: list[int] = []
        self._fd = _open(path)
        if self._fd is not None:
            self._read(self._fd)

    def begin(self) -> None:
        """Empty the file and use it for this process. Call once the deaths are counted: until then a death in between
        leaves the file as it was."""
        if self._fd is None:
            return
        header = f"{self._boot_id} {secrets.token_hex(16)}".encode().ljust(SLOT_BYTES, b"\0")
        try:
            self._wipe(self._fd)
            os.pwrite(self._fd, header, 0)
        except OSError as error:
            _warn(error)
        else:
            self._free = list(range(SLOTS, 0, -1))

    def set(self, mark: str) -> int | None:
        """Write a mark; return its slot, None if there is none."""
        content = mark.encode()
        if self._fd is None or not self._free or len(content) > SLOT_BYTES:
            return None
        slot = self._free.pop()
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, content.ljust(SLOT_BYTES, b"\0"), slot * SLOT_BYTES)
        return slot

    def clear(self, slot: int | None) -> None:
        if slot is None or self._fd is None:
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, bytes(SLOT_BYTES), slot * SLOT_BYTES)
        self._free.append(slot)

    def close(self) -> None:
        """Remove all marks: a stop is no death."""
        fd, self._fd = self._fd, None
        if fd is not None:
            if self._free:  # begun
                with contextlib.suppress(OSError):
                    self._wipe(fd)
            os.close(fd)

    def _read(self, fd: int) -> None:
        content = os.pread(fd, (SLOTS + 1) * SLOT_BYTES, 0)
        cells = [content[at : at + SLOT_BYTES].rstrip(b"\0") for at in range(0, len(content), SLOT_BYTES)]
        boot_id, _, process = (cells[0] if cells else b"").decode("utf-8", "replace").rpartition(" ")
        if boot_id == self._boot_id and process:
            self.process = process
            self.left = tuple(cell.decode("utf-8", "replace") for cell in cells[1:] if cell)

    @staticmethod
    def _wipe(fd: int) -> None:
        """Also gives each slot its place on the disk, so that a full one cannot keep a mark from it."""
        os.pwrite(fd, bytes(SLOTS * SLOT_BYTES), SLOT_BYTES)


def _open(path: Path) -> int | None:
    """Open and lock the file; None if that is impossible, or another daemon uses it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        _warn(error)
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        _warn(error)
        return None
    return fd


def _warn(error: OSError) -> None:
    facts = {"action": "marks_unusable", "reason": error.strerror}
    log.warning("deaths of the process cannot be traced to the work that it was doing", extra=facts)
