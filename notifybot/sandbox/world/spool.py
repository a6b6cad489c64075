"""Uploaded bytes on disk: written piece by piece, kept once by content, gone when the sandbox closes."""

import hashlib
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are complete. `path` is named by their digest, so the same bytes lie there once."""

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
    """A file that a call brings along: uploaded, or found at an address, which then says its type too."""

    content: Content
    name: str
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Unfetched:
    """An address that Telegram got no file from; `code` is the server's own name of the reason."""

    code: str


class Incoming:
    """Bytes that are still coming in. Who begins one ends it with `finish` or `discard`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The name lasts until `finish` moves it, so the file object must not remove it.
        self._file = tempfile.NamedTemporaryFile(dir=folder, prefix="incoming-", delete=False)  # noqa: SIM115
        self._digest = hashlib.blake2b(digest_size=20)
        self.size = 0

    def write(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> Content:
        """Keep what came in."""
        self._file.close()
        path = self._folder / self._digest.hexdigest()
        Path(self._file.name).rename(path)
        return Content(path, self.size)

    def discard(self) -> None:
        """Forget what came in, as if nothing had."""
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class Spool:
    """A temporary folder, made with the first upload. It goes with `close`, or with the object at the latest."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._remove: weakref.finalize[[str], Spool] | None = None

    def begin(self) -> Incoming:
        """Begin to take in bytes."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="notifybot-sandbox-"))
            self._remove = weakref.finalize(self, _remove_folder, str(self._folder))
        return Incoming(self._folder)

    def keep(self, data: bytes) -> Content:
        """Keep bytes that are there as a whole."""
        incoming = self.begin()
        incoming.write(data)
        return incoming.finish()

    def close(self) -> None:
        """Remove the folder; a later upload begins a new one."""
        if self._remove is not None:
            self._remove()
        self._folder = self._remove = None


def _remove_folder(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
