"""Store attachments on disk by SHA-256: each content once, complete and fsynced, or not at all."""

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, Self, TypeVar

from notifybot.errors import NotFound, NotifybotError, TooLarge, Unavailable
from notifybot.files.media_types import detect, fits_photo
from notifybot.storage.under_way import UnderWay, Work, WorkKind
from notifybot.system.kept_files import KeptFile

PIECE_BYTES = 64 * 1024
"""Memory of one upload: 500 uploads take 32 MB."""
KEPT_FREE_BYTES = 64 * 1024 * 1024
"""Disk space reserved for the database, so that it accepts alerts even when files fill the rest."""
WORKERS = 4
INCOMING = "incoming"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredFile:
    """A file on disk. `size` in bytes; `width` and `height` in pixels, if known."""

    sha256: str
    size: int
    media_type: str
    width: int | None
    height: int | None

    @property
    def fits_photo(self) -> bool:
        return fits_photo(self.media_type, self.size, width=self.width, height=self.height)


class FileStore:
    """Files below `folder`, at `ab/abcdef…`. Only one process writes there.

    Synchronous methods block on the disk: call them on a thread. The async ones run on the store's own WORKERS threads,
    so that uploads block neither the event loop nor its default thread pool.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        kept_free: int = KEPT_FREE_BYTES,
        under_way: UnderWay | None = None,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.kept_free = kept_free
        self._under_way = under_way
        self._parts = folder / INCOMING
        self._names = threading.Lock()
        """Held while a file is added or removed, so that a file stored again is not removed as old."""
        self._durable: set[Path] = set()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="files")

    def kept_file(self) -> KeptFile:
        """Return the folder, which is created now, and again if it is removed while the daemon runs."""

        async def make_again() -> None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return KeptFile("attachments", self.folder, make_again)

    def close(self) -> None:
        """Wait for the threads to finish; the store is unusable afterwards."""
        self._workers.shutdown()

    def sweep(self) -> int:
        """Remove partial files that a killed process left; return their number. Call only at startup."""
        try:
            left = list(self._parts.iterdir()) if self._parts.is_dir() else []
            for path in left:
                path.unlink()
        except OSError as error:
            log.warning("cannot remove partial files", extra={"action": "file_sweep_failed", "reason": error.strerror})
            return 0
        return len(left)

    def incoming(self) -> "Incoming":
        """Start a file. Leaving the `with` block without `finish()` discards it."""
        return Incoming(self)

    async def receive(self, pieces: AsyncIterable[bytes]) -> StoredFile:
        """Store chunks of any size. Raises as `Incoming` does, and then keeps nothing."""
        incoming = self.incoming()
        held = bytearray()
        try:
            async for piece in pieces:
                self.refuse_larger(incoming.size + len(held) + len(piece))
                held += piece
                if len(held) >= PIECE_BYTES:
                    await self._on_thread(incoming.write, held)
                    held = bytearray()
            await self._on_thread(incoming.write, held)
            async with self._marked(incoming.sha256):
                return await self._on_thread(incoming.finish)
        except BaseException:
            # A write may still run after its waiter was cancelled; abort waits for it.
            await asyncio.shield(self._on_thread(incoming.abort))
            raise

    def _marked(self, sha256: str) -> AbstractAsyncContextManager[None]:
        """Mark the look into a file (media_types.detect). Raises DiedBefore if it ended earlier processes."""
        return nullcontext() if self._under_way is None else self._under_way.working_on(Work(WorkKind.UPLOAD, sha256))

    async def receive_file(self, file: BinaryIO) -> StoredFile:
        """Store the rest of an open file as `receive` does; the file stays open."""
        return await self.receive(self._pieces_of(file))

    async def pieces(self, sha256: str) -> AsyncGenerator[bytes]:
        """Read a file in chunks. Raises NotFound."""
        file = await self._on_thread(self.open, sha256)
        try:
            async for piece in self._pieces_of(file):
                yield piece
        finally:
            file.close()

    def refuse_larger(self, size: int) -> None:
        """Raise TooLarge if `size` exceeds the limit."""
        if size > self.max_bytes:
            raise TooLarge(f"The file is larger than {self.max_bytes} bytes.", hint="Send a smaller file, or its URL.")

    def path_of(self, sha256: str) -> Path:
        """Return the path for this content. Raises ValueError for a malformed SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a SHA-256 is 64 hexadecimal digits in lower case")
        return self.folder / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """Open a file for reading; it stays readable even if it is removed meanwhile. Raises NotFound."""
        try:
            return self.path_of(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound(
                "This file is no longer kept.", hint="retention.attachments in the config sets how long files are kept."
            ) from None
        except OSError as error:
            raise _unavailable(error) from error

    def older_than(self, before: datetime) -> Iterator[str]:
        """Yield the SHA-256 of each file last stored before `before`."""
        for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            names = [path.name for path in folder.iterdir() if _is_older(path, before)]
            yield from filter(_SHA256.fullmatch, names)

    def remove(self, sha256: str, *, stored_before: datetime) -> bool:
        """Remove a file unless it was stored again since; return True if it was removed.

        `stored_before` must be older than any request that stored its file but has not committed its message.
        """
        path = self.path_of(sha256)
        with self._names:
            if not _is_older(path, stored_before):
                return False
            path.unlink(missing_ok=True)
            return True

    def remove_unused(self, is_used: Callable[[str], bool], *, stored_before: datetime) -> int:
        """Remove unused files stored before `stored_before`; return their number."""
        unused = (sha256 for sha256 in self.older_than(stored_before) if not is_used(sha256))
        return sum(self.remove(sha256, stored_before=stored_before) for sha256 in unused)

    def new_part(self) -> Path:
        """Choose a path for a partial file, and create its folder. Raises OSError."""
        with self._names:
            self._make_durable(self._parts)
        return self._parts / secrets.token_hex(16)

    def keep(self, part: Path, sha256: str) -> None:
        """Move a complete, fsynced file to its final path, durably. Raises OSError."""
        path = self.path_of(sha256)
        with self._names:
            self._make_durable(path.parent)
            os.utime(part)
            # Replace an existing file too: another program may have truncated it.
            part.replace(path)
        _fsync(path.parent)

    def _make_durable(self, folder: Path) -> None:
        """Create a missing folder; fsync its parent, at least once in this process."""
        for each in (self.folder, folder):
            if not each.is_dir():
                self._durable.discard(each)
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            if each not in self._durable:
                _fsync(each.parent)
                self._durable.add(each)

    async def _pieces_of(self, file: BinaryIO) -> AsyncIterator[bytes]:
        while piece := await self._on_thread(file.read, PIECE_BYTES):
            yield piece

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, partial(work, *args, **kwargs))


class Incoming:
    """One file being stored, by one thread at a time.

    `write` and `finish` raise TooLarge, and Unavailable if the disk is full or fails. After any error nothing is kept.
    """

    def __init__(self, store: FileStore) -> None:
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        self._part: Path | None = None
        self._fd = -1
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def sha256(self) -> str:
        """Digest of what was written so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes | bytearray) -> None:
        with self._lock, self._or_nothing():
            self._write(data)

    def finish(self, last: bytes | bytearray = b"") -> StoredFile:
        """Write `last` and store the file durably. An empty file is refused."""
        with self._lock, self._or_nothing():
            self._write(last)
            if self._part is None:
                raise NotifybotError("The file is empty.", hint="Send a file that is not empty.")
            os.fsync(self._fd)
            with self._part.open("rb") as file:
                content = detect(file)
            self._store.keep(self._part, self.sha256)
            self._close()
            return StoredFile(self.sha256, self.size, content.media_type, content.width, content.height)

    def abort(self) -> None:
        """Discard the file; a no-op after `finish`."""
        with self._lock:
            self._discard()

    def _write(self, data: bytes | bytearray) -> None:
        if self._is_over:
            raise ValueError("this file is finished or aborted")
        self._store.refuse_larger(self.size + len(data))
        if not data:
            return
        if self._part is None:
            self._part = self._store.new_part()
            self._fd = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _refuse_to_fill(self._fd, self._store.kept_free + len(data))
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self.size += len(data)

    @contextlib.contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._discard()
            raise _unavailable(error) from error
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        if self._part is not None and not self._is_over:
            with contextlib.suppress(OSError):  # the next start sweeps leftovers
                self._part.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        self._is_over = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _refuse_to_fill(fd: int, wanted: int) -> None:
    disk = os.fstatvfs(fd)
    if disk.f_bavail * disk.f_frsize < wanted:
        raise OSError(errno.ENOSPC, "the remaining space is reserved for the database")


def _unavailable(error: OSError) -> Unavailable:
    log.error("file storage failed", extra={"action": "file_storage_failed", "reason": error.strerror})
    if error.errno in NO_ROOM:
        return Unavailable(
            "The server's disk is full; the file was not stored.",
            hint="Send it again once the operator has freed some space.",
        )
    return Unavailable(
        "The server cannot store or read files at the moment.", hint="Try again; notifybot's log says why."
    )


def _fsync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_older(path: Path, moment: datetime) -> bool:
    try:
        return path.stat().st_mtime < moment.timestamp()
    except FileNotFoundError:
        return False
