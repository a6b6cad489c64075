"""Request bodies for messages: JSON, or multipart/form-data whose files are read in chunks."""

import io
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from notifybot.client.errors import ClientError, Refused
from notifybot.client.options import Attachable, File, without_none
from notifybot.client.record import record
from notifybot.client.unix_http import CHUNK_BYTES, RequestBody, json_body, percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

MAX_FILES = 20
PHOTO, DOCUMENT = "photo", "document"
"""Kinds of files, by the name of their form field."""
MAX_TEXT_BYTES = 1_000_000
"""Size as JSON: with the other fields, the daemon takes 1 MiB."""
SHORT = MAX_TEXT_BYTES // 12
"""In characters, each of which has at most 12 bytes in JSON."""
BEGINNING = 500
FULL_TEXT_NAME = "message.txt"
FULL_TEXT_IN_FILE = "The full text is in the file."
MONO = "Mono"
"""The format whose texts can be cut anywhere."""
TYPES = {PHOTO: "image", DOCUMENT: "document"}
NAMES = {PHOTO: "photo", DOCUMENT: "file"}
"""Names of files without one."""


@contextmanager
def message_body(
    fields: Mapping[str, object],
    text: str | None,
    *,
    photos: Attachable | Iterable[Attachable] = (),
    files: Attachable | Iterable[Attachable] = (),
) -> Iterator[RequestBody]:
    """Make the body of a message: JSON, or a form with its files, which stay open until the block ends.

    A text that is too long for the daemon goes as a file, with its beginning as the text. The daemon names files that
    cannot be sent in the text. Raises Refused if nothing else is left of the message.
    """
    attached = [(PHOTO, each) for each in _files_of(photos)] + [(DOCUMENT, each) for each in _files_of(files)]
    if text is not None and _is_too_long(text):
        attached.insert(0, (DOCUMENT, File(text.encode("utf-8", "replace"), FULL_TEXT_NAME)))
        fields, text = _without_markup(fields), _beginning(text)
    with ExitStack() as stack:
        found = _find(attached, stack)
        if text is None and not found.uploads and not found.url:
            _check_worth_sending(fields, found)
        fields = {**fields, "missing_files": found.missing_files()}
        if found.uploads:
            yield multipart_body({"type": found.type, **fields, "caption": text}, found.uploads)
        elif found.url is not None:
            kind, file = found.url
            content = {"type": TYPES[kind], "content": _url_of(file), "file_name": file.name}
            yield json_body(without_none({**content, **fields, "caption": text}))
        else:
            yield json_body(without_none({"type": "text", "content": text, **fields}))


class _Attachments:
    """Files to upload, or one URL, and the files that cannot be sent with the reasons."""

    def __init__(self) -> None:
        self.uploads: list[FileUpload] = []
        self.url: tuple[str, File] | None = None
        self.troubles: list[tuple[File, ClientError]] = []

    @property
    def type(self) -> str:
        return TYPES[PHOTO if any(upload.kind == PHOTO for upload in self.uploads) else DOCUMENT]

    def missing_files(self) -> list[dict[str, str]] | None:
        return [{"name": _name(file, NAMES[DOCUMENT]), "reason": error.detail} for file, error in self.troubles] or None


def _find(attached: Sequence[tuple[str, File]], stack: ExitStack) -> _Attachments:
    found = _Attachments()
    for place, (kind, file) in enumerate(attached):
        try:
            if place >= MAX_FILES:
                raise _too_many()
            if _url_of(file) is None:
                found.uploads.append(open_upload(file, kind, stack))
            elif len(attached) > 1:
                raise _not_alone(file)
            else:
                found.url = (kind, file)
        except ClientError as error:
            found.troubles.append((file, error))
    return found


def _not_alone(file: File) -> Refused:
    detail = f"{file.source!s} is not sent: a message can have one URL or uploaded files, not both."
    return Refused(detail, hint="Send them one by one.")


def _too_many() -> Refused:
    hint = "Send several messages, or pack the files into one."
    return Refused(f"A message can have at most {MAX_FILES} files.", hint=hint)


def _check_worth_sending(fields: Mapping[str, object], found: _Attachments) -> None:
    if fields.get("template") is not None or (found.troubles and fields.get("title") is not None):
        return
    if found.troubles:
        raise found.troubles[0][1]
    raise Refused("No text or file is given.", hint="Give a text, a file or a template.")


def _is_too_long(text: str) -> bool:
    return len(text) > SHORT and json_body(text).length > MAX_TEXT_BYTES


def _beginning(text: str) -> str:
    """Return the first lines of a long text: what fits below a file, with room for a title and status lines."""
    start = text[:BEGINNING]
    lines, newline, _ = start.rpartition("\n")
    return f"{lines if newline and lines.strip() else start}\n\n{FULL_TEXT_IN_FILE}"


def _without_markup(fields: Mapping[str, object]) -> dict[str, object]:
    return {**fields, "parse_mode": MONO if fields.get("parse_mode") == MONO else None}


def _files_of(given: Attachable | Iterable[Attachable]) -> list[File]:
    """List the files; a single one becomes a list of one."""
    listed = (given,) if isinstance(given, File | str | os.PathLike) else given
    return [each if isinstance(each, File) else File(each) for each in listed]


def _url_of(file: File) -> str | None:
    """Return the http or https URL of a file, None if it is to be uploaded. Raises Refused for other URLs."""
    if not isinstance(file.source, str):
        return None
    scheme, is_url, _ = file.source.partition("://")
    if not is_url or not scheme.isalnum():
        return None
    if scheme.lower() not in ("https", "http"):
        raise Refused(
            f"{file.source} is not an https URL.",
            hint="Download it and send the file: only https and http are fetched.",
        )
    return file.source


MAX_COPY_BYTES = 2_000_000_000
"""Largest file that any Bot API server takes; a daemon usually allows less."""


@record()
class FileUpload:
    """An open file of `size` bytes from `start`, which can be read any number of times."""

    kind: str
    name: str
    stream: "IO[bytes]"
    start: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """Read the file from the start. Bytes added since are left out; raises Refused if it has shrunk."""
        self.stream.seek(self.start)
        rest = self.size
        while rest:
            chunk = self.stream.read(min(rest, CHUNK_BYTES))
            if not chunk:
                raise Refused(f"{self.name} shrank while it was sent.", hint="Send it once it is complete.")
            rest -= len(chunk)
            yield chunk


def open_upload(file: File, kind: str, stack: ExitStack) -> FileUpload:
    """Open `file` until `stack` closes. A stream that cannot be read twice is copied to a temporary file. Raises
    Refused."""
    shown, name = _shown(file), _name(file, NAMES[kind])
    stream = _stream(file.source, shown, stack)
    size = _rest(stream)
    if not size:  # a pipe, or a file without a known size, as in /proc
        stream = _copy(stream, shown, stack)
        size = _rest(stream)
    if not size:
        raise Refused(f"{shown} is empty.", hint="Telegram does not accept empty files.")
    return FileUpload(kind, name, stream, stream.tell(), size)


def _rest(stream: "IO[bytes]") -> int | None:
    """Count the bytes that follow, None if the stream cannot seek. The position stays the same."""
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
        raise Refused("An empty file name is given.", hint="Check the path.")
    from pathlib import Path  # most messages have no file

    try:
        path = Path(source)
        _check_kind(path.stat().st_mode, shown)
        return stack.enter_context(path.open("rb"))
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from error


def _check_kind(mode: int, shown: str) -> None:
    """Accept only files and pipes: opening a device can have side effects."""
    if stat.S_ISDIR(mode):
        raise Refused(f"{shown} is a directory.", hint="Name the files in it, or pack them into an archive.")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise Refused(f"{shown} is a device or a socket.", hint="Name a file, or pipe the data in.")


def _unreadable(shown: str, error: OSError | ValueError) -> Refused:
    match error:
        case FileNotFoundError():
            return Refused(f"{shown} does not exist.", hint="Check its path.")
        case PermissionError():
            return Refused(f"Permission denied: {shown}.", hint="Files are read under your account, not the daemon's.")
        case OSError():
            return Refused(f"{shown} cannot be read: {error.strerror}.", hint="Check the path.")
    return Refused(f"{shown} is not a path: {error}.", hint="Check the path.")


def _copy(stream: "IO[bytes]", shown: str, stack: ExitStack) -> "IO[bytes]":
    """Copy the rest of `stream` to a temporary file that lives as long as `stack`."""
    import tempfile  # most files need no copy

    try:
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        size = 0
        while chunk := stream.read(CHUNK_BYTES):
            size += copy.write(chunk)
            if size > MAX_COPY_BYTES:
                raise Refused(f"{shown} is too large for Telegram.", hint="Telegram usually takes up to 50 MB.")
        copy.flush()
    except OSError as error:
        raise ClientError(
            f"Cannot copy {shown} to a temporary file: {error.strerror}.",
            hint="Free some space, or set $TMPDIR to another folder.",
        ) from error
    copy.seek(0)
    return copy


def _shown(file: File) -> str:
    """Name the file for an error message."""
    if isinstance(file.source, str | os.PathLike):
        return os.fspath(file.source)
    return file.name or "The file"


def _name(file: File, kind: str) -> str:
    """Name of the upload: without folders, never empty."""
    named = file.name
    if named is None and isinstance(file.source, str | os.PathLike):
        named = os.fspath(file.source)
    elif named is None:
        named = getattr(file.source, "name", None)  # a number, for some
    return (named.rstrip("/").rpartition("/")[2] if isinstance(named, str) else "") or kind


def multipart_body(fields: Mapping[str, object], uploads: Sequence[FileUpload]) -> RequestBody:
    """Encode the fields that have a value (text as it is, the rest as JSON), then the files.

    The fields come first so that the daemon can refuse a request before it has received the files.
    """
    boundary = os.urandom(16).hex()
    texts = [(_head(boundary, name), _text(value)) for name, value in fields.items() if value is not None]
    files = [(_file_head(boundary, upload), upload) for upload in uploads]
    beginning = b"".join(head + text + b"\r\n" for head, text in texts)
    end = f"--{boundary}--\r\n".encode("ascii")

    def chunks() -> Iterator[bytes]:
        yield beginning
        for head, upload in files:
            yield head
            yield from upload.chunks()
            yield b"\r\n"
        yield end

    length = len(beginning) + sum(len(head) + upload.size + 2 for head, upload in files) + len(end)
    return RequestBody(f"multipart/form-data; boundary={boundary}", length, chunks)


def _head(boundary: str, name: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode("ascii")


def _file_head(boundary: str, upload: FileUpload) -> bytes:
    lines = [
        f"--{boundary}",
        f'Content-Disposition: form-data; name="{upload.kind}"; {_filename(upload.name)}',
        "Content-Type: application/octet-stream",  # the daemon detects the type itself
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _filename(name: str) -> str:
    """Encode a file name for the header; names with special characters take the RFC 5987 form."""
    encoded = percent_encoded(name)
    return f'filename="{name}"' if encoded == name else f"filename*=UTF-8''{encoded}"


def _text(value: object) -> bytes:
    """Encode a value; the daemon replaces lone surrogates in texts."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
