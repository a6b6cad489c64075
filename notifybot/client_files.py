"""Files that a message takes along: opened and checked before anything is sent, and read in pieces while it is."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from notifybot.client_errors import ClientError, Refused
from notifybot.client_options import File
from notifybot.unix_http import CHUNK_BYTES

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from typing import IO

MOST_BYTES = 2_000_000_000
"""The most that any Telegram takes of one file; a daemon usually allows less, and says so."""


@dataclass(frozen=True)
class Upload:
    """A file that is open, from `start` on `size` bytes long, and can be read any number of times."""

    kind: str
    name: str
    stream: "IO[bytes]"
    start: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        """The bytes, from the beginning. A file that grows is sent as long as it was; Refused where it shrinks."""
        self.stream.seek(self.start)
        rest = self.size
        while rest:
            piece = self.stream.read(min(rest, CHUNK_BYTES))
            if not piece:
                raise Refused(f"{self.name} became shorter while it was sent.", hint="Send it once it is complete.")
            rest -= len(piece)
            yield piece


def opened(file: File, kind: str, stack: ExitStack) -> Upload:
    """Open `file` until `stack` closes. What cannot be read twice is copied to a temporary file. Raises Refused."""
    shown, name = _shown(file), _name(file, kind)
    stream = _stream(file.source, shown, stack)
    size = _rest(stream)
    if not size:  # a pipe, or a file whose size is only known by reading it, as in /proc
        stream = _copy(stream, shown, stack)
        size = _rest(stream)
    if not size:
        raise Refused(f"{shown} is empty.", hint="Telegram takes no empty file.")
    return Upload(kind, name, stream, stream.tell(), size)


def _rest(stream: "IO[bytes]") -> int | None:
    """How many bytes follow, None where that cannot be told. It stands where it stood."""
    try:
        start = stream.tell()
        size = stream.seek(0, os.SEEK_END) - start
        stream.seek(start)
    except (OSError, ValueError):  # ValueError: io.UnsupportedOperation
        return None
    return size


def _stream(source: "str | os.PathLike[str] | bytes | IO[bytes]", shown: str, stack: ExitStack) -> "IO[bytes]":
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not isinstance(source, str | os.PathLike):
        return source
    if not os.fspath(source):
        raise Refused("A file without a name is given.", hint="Check the path.")
    try:
        path = Path(source)
        _check_kind(path.stat().st_mode, shown)
        return stack.enter_context(path.open("rb"))
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from error


def _check_kind(mode: int, shown: str) -> None:
    """Let files and pipes through; opening a device can do something."""
    if stat.S_ISDIR(mode):
        raise Refused(f"{shown} is a directory.", hint="Name the files in it, or pack them into one.")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise Refused(f"{shown} is a device or a socket.", hint="Name a file, or pipe it in.")


def _unreadable(shown: str, error: OSError | ValueError) -> Refused:
    match error:
        case FileNotFoundError():
            return Refused(f"{shown} does not exist.", hint="Check its path.")
        case PermissionError():
            return Refused(f"You may not read {shown}.", hint="It is read under your account, not the daemon's.")
        case OSError():
            return Refused(f"{shown} cannot be read: {error.strerror}.", hint="Check the path.")
    return Refused(f"{shown} is no path: {error}.", hint="Check the path.")


def _copy(stream: "IO[bytes]", shown: str, stack: ExitStack) -> "IO[bytes]":
    """What `stream` still has, in a temporary file that is gone with `stack`."""
    import tempfile  # most files need no copy

    try:
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        size = 0
        while piece := stream.read(CHUNK_BYTES):
            size += copy.write(piece)
            if size > MOST_BYTES:
                raise Refused(f"{shown} is too large for Telegram.", hint="Telegram takes 50 MB as a rule.")
        copy.flush()
    except OSError as error:
        raise ClientError(
            f"{shown} cannot be copied before it is sent: {error.strerror}.",
            hint="Make room, or name another folder in $TMPDIR.",
        ) from error
    copy.seek(0)
    return copy


def _shown(file: File) -> str:
    """How an error speaks of it."""
    if isinstance(file.source, str | os.PathLike):
        return os.fspath(file.source)
    return file.name or "What was given as a file"


def _name(file: File, kind: str) -> str:
    """What to call it: its own name without folders."""
    named = file.name
    if named is None and isinstance(file.source, str | os.PathLike):
        named = os.fspath(file.source)
    elif named is None:
        named = getattr(file.source, "name", None)  # an open file has one, unless it is a number
    return (named.rstrip("/").rpartition("/")[2] if isinstance(named, str) else "") or kind
