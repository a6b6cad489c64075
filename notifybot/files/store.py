"""Attached files on disk, each content once under its SHA-256: whole and fsync'ed, or not there at all."""

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
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, Self, TypeVar

from notifybot.errors import NotFound, NotifybotError, TooLarge, Unavailable
from notifybot.files.media_types import detect, fits_photo

PIECE_BYTES = 64 * 1024
"""What one upload holds in memory: 32 MB for 500 at once."""
KEPT_FREE_BYTES = 64 * 1024 * 1024
"""So much of the disk is left to the database, which must be able to accept alerts when files fill the rest."""
WORKERS = 4
INCOMING = "incoming"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredFile:
    """A file that is on disk. `size` in bytes, `width` and `height` in pixels where its header says so."""

    sha256: str
    size: int
    media_type: str
    width: int | None
    height: int | None

    @property
    def fits_photo(self) -> bool:
        return fits_photo(self.media_type, self.size, width=self.width, height=self.height)


class FileStore:
    """The files below `folder`, at `ab/abcdef…`. One process alone writes there.

    Functions that are not async touch the disk: they belong on a thread. The async ones use WORKERS threads of the
    store's own, so that any number of uploads leaves the event loop, and its common threads, to others.
    """

    def __init__(self, folder: Path, *, max_bytes: int, kept_free: int = KEPT_FREE_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.kept_free = kept_free
        self._parts = folder / INCOMING
        self._names = threading.Lock()
        """Held while a name comes into being or goes, so that what is stored anew is not removed as old."""
        self._durable: set[Path] = set()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="files")

    def close(self) -> None:
        """Wait for what the threads are doing; nothing can be stored or read afterwards."""
        self._workers.shutdown()

    def sweep(self) -> int:
        """Remove what a kill left half stored; return how many files that were. Only at the start."""
        try:
            left = list(self._parts.iterdir()) if self._parts.is_dir() else []
            for path in left:
                path.unlink()
        except OSError as error:
            log.warning("files left behind stay", extra={"action": "files.sweep", "reason": error.strerror})
            return 0
        return len(left)

    def incoming(self) -> "Incoming":
        """Begin a file. Leave the `with` block without `finish()`, and nothing is kept of it."""
        return Incoming(self)

    async def receive(self, pieces: AsyncIterable[bytes]) -> StoredFile:
        """Store what comes in pieces of any size; see `Incoming` for what it raises. Nothing is kept when it fails."""
        incoming = self.incoming()
        held = bytearray()
        try:
            async for piece in pieces:
                self.refuse_larger(incoming.size + len(held) + len(piece))
                held += piece
                if len(held) >= PIECE_BYTES:
                    await self._on_thread(incoming.write, held)
                    held = bytearray()
            return await self._on_thread(incoming.finish, held)
        except BaseException:
            # A write whose waiter was cancelled may still run; abort waits for its end.
            await asyncio.shield(self._on_thread(incoming.abort))
            raise

    async def receive_file(self, file: BinaryIO) -> StoredFile:
        """Store the rest of an open file, which is not closed; as `receive` does."""
        return await self.receive(self._pieces_of(file))

    async def pieces(self, sha256: str) -> AsyncGenerator[bytes]:
        """Read a file piece by piece. Raises NotFound."""
        file = await self._on_thread(self.open, sha256)
        try:
            async for piece in self._pieces_of(file):
                yield piece
        finally:
            file.close()

    def refuse_larger(self, size: int) -> None:
        """Raise TooLarge if a file of `size` bytes is."""
        if size > self.max_bytes:
            raise TooLarge(
                f"The file is larger than {self.max_bytes} bytes.", hint="Send a smaller one, or say where it lies."
            )

    def path_of(self, sha256: str) -> Path:
        """Return where the file of this content lies, or would. Raises ValueError for what is no SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a SHA-256 is 64 hexadecimal digits in lower case")
        return self.folder / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """Open a file for reading; it stays readable when it is removed meanwhile. Raises NotFound."""
        try:
            return self.path_of(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound(
                "This file is no longer kept.", hint="retention.attachments says how long they are."
            ) from None
        except OSError as error:
            raise _unavailable(error) from error

    def aged(self, before: datetime) -> Iterator[str]:
        """Yield the SHA-256 of each file that was last stored before `before`."""
        for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            names = [path.name for path in folder.iterdir() if _is_older(path, before)]
            yield from filter(_SHA256.fullmatch, names)

    def remove(self, sha256: str, *, stored_before: datetime) -> bool:
        """Remove a file unless it was stored (again) since; return whether it was removed.

        `stored_before` lies further back than a request takes from storing its file to committing its message.
        """
        path = self.path_of(sha256)
        with self._names:
            if not _is_older(path, stored_before):
                return False
            path.unlink(missing_ok=True)
            return True

    def remove_unused(self, is_used: Callable[[str], bool], *, stored_before: datetime) -> int:
        """Remove the files stored before `stored_before` that nobody uses; return how many."""
        unused = (sha256 for sha256 in self.aged(stored_before) if not is_used(sha256))
        return sum(self.remove(sha256, stored_before=stored_before) for sha256 in unused)

    def new_part(self) -> Path:
        """Choose a name for a file that comes in, in a folder that is there. Raises OSError."""
        with self._names:
            self._make_durable(self._parts)
        return self._parts / secrets.token_hex(16)

    def keep(self, part: Path, sha256: str) -> None:
        """Give a whole, fsync'ed part the name of its content; after this it survives a power cut. Raises OSError."""
        path = self.path_of(sha256)
        with self._names:
            self._make_durable(path.parent)
            os.utime(part)
            # Also where the content is there already: what lies there may have been cut short by another program.
            part.replace(path)
        _fsync(path.parent)

    def _make_durable(self, folder: Path) -> None:
        """Make a folder below the store's where it is missing; once a process, its name is fsync'ed in any case."""
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
    """One file on its way into the store; one thread at a time.

    `write` and `finish` raise TooLarge, and Unavailable when the disk is full or fails. Whatever they raise, nothing
    is kept.
    """

    def __init__(self, store: FileStore) -> None:
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        self._part: Path | None = None
        self._fd = -1
        self._is_over = False
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, data: bytes | bytearray) -> None:
        with self._turn, self._or_nothing():
            self._write(data)

    def finish(self, last: bytes | bytearray = b"") -> StoredFile:
        """Write `last` and put the file in its place, where it survives a power cut. An empty file is refused."""
        with self._turn, self._or_nothing():
            self._write(last)
            if self._part is None:
                raise NotifybotError("The file is empty.", hint="Send a file that holds something.")
            os.fsync(self._fd)
            with self._part.open("rb") as file:
                content = detect(file)
            sha256 = self._hash.hexdigest()
            self._store.keep(self._part, sha256)
            self._leave()
            return StoredFile(sha256, self.size, content.media_type, content.width, content.height)

    def abort(self) -> None:
        """Keep nothing; after `finish` it does nothing."""
        with self._turn:
            self._discard()

    def _write(self, data: bytes | bytearray) -> None:
        if self._is_over:
            raise ValueError("this file is finished or given up")
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
            with contextlib.suppress(OSError):  # what stays is swept at the next start
                self._part.unlink(missing_ok=True)
        self._leave()

    def _leave(self) -> None:
        self._is_over = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _refuse_to_fill(fd: int, wanted: int) -> None:
    disk = os.fstatvfs(fd)
    if disk.f_bavail * disk.f_frsize < wanted:
        raise OSError(errno.ENOSPC, "what is free is left to the database")


def _unavailable(error: OSError) -> Unavailable:
    log.error("a file cannot be stored or read", extra={"action": "files.failed", "reason": error.strerror})
    if error.errno in NO_ROOM:
        return Unavailable(
            "There is no room for files on this server; nothing was kept.",
            hint="Send it again once its operator has made room.",
        )
    return Unavailable("Files cannot be kept or read on this server now.", hint="Try again; notifybot's log says why.")


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
