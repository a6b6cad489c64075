"""Uploads on disk: streamed, deduplicated by content, removed when the sandbox closes."""

import hashlib
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Content:
    """A complete file. `path` is named after the digest, so the same bytes exist only once."""

    path: Path
    size: int

    def read(self) -> bytes:
        return self.path.read_bytes()

    def first(self, count: int) -> bytes:
        """Return at most the first `count` bytes."""
        with self.path.open("rb") as file:
            return file.read(count)

    def last(self, count: int) -> bytes:
        """Return at most the last `count` bytes."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.size - count))
            return file.read(count)


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a call: uploaded, or fetched from a URL, which also gives its type."""

    content: Content
    name: str
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A URL that gave no file; `code` is Telegram's internal error code."""

    code: str


class Incoming:
    """An incoming file. The caller must end it with `finish` or `discard`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # `finish` moves the file, so the file object must not remove it.
        self._file = tempfile.NamedTemporaryFile(dir=folder, prefix="incoming-", delete=False)  # noqa: SIM115
        self._digest = hashlib.blake2b(digest_size=20)
        self.size = 0

    def write(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> Content:
        """Keep the file."""
        self._file.close()
        path = self._folder / self._digest.hexdigest()
        Path(self._file.name).rename(path)
        return Content(path, self.size)

    def discard(self) -> None:
        """Discard the file."""
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class Spool:
    """A temporary folder, created with the first upload, removed by `close` or with the object."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._remove: weakref.finalize[[str], Spool] | None = None

    def begin(self) -> Incoming:
        """Start an incoming file."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="notifybot-sandbox-"))
            self._remove = weakref.finalize(self, _remove_folder, str(self._folder))
        return Incoming(self._folder)

    def keep(self, data: bytes) -> Content:
        """Store complete bytes."""
        incoming = self.begin()
        incoming.write(data)
        return incoming.finish()

    def close(self) -> None:
        """Remove the folder; a later upload creates a new one."""
        if self._remove is not None:
            self._remove()
        self._folder = self._remove = None


def _remove_folder(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
