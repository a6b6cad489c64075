"""A form with files (multipart/form-data) as the body of a request, its files read in pieces."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence

from notifybot.client_files import Upload
from notifybot.unix_http import Body

PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def form(fields: Mapping[str, object], uploads: Sequence[Upload]) -> Body:
    """The fields that have a value, text as it is and the rest as JSON, then the files.

    In this order, so that wrong fields can be refused before the files have come.
    """
    boundary = os.urandom(16).hex()
    texts = [(_head(boundary, name), _text(value)) for name, value in fields.items() if value is not None]
    files = [(_file_head(boundary, upload), upload) for upload in uploads]
    beginning = b"".join(head + text + b"\r\n" for head, text in texts)
    end = f"--{boundary}--\r\n".encode("ascii")

    def pieces() -> Iterator[bytes]:
        yield beginning
        for head, upload in files:
            yield head
            yield from upload.pieces()
            yield b"\r\n"
        yield end

    length = len(beginning) + sum(len(head) + upload.size + 2 for head, upload in files) + len(end)
    return Body(f"multipart/form-data; boundary={boundary}", length, pieces)


def _head(boundary: str, name: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode("ascii")


def _file_head(boundary: str, upload: Upload) -> bytes:
    lines = [
        f"--{boundary}",
        f'Content-Disposition: form-data; name="{upload.kind}"; {_filename(upload.name)}',
        "Content-Type: application/octet-stream",  # the daemon looks for itself
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _filename(name: str) -> str:
    """The name, for the header; one with quotes, semicolons or letters beyond ASCII in the form that keeps them all."""
    raw = name.encode("utf-8", "replace")
    if PLAIN.issuperset(raw):
        return f'filename="{name}"'
    return "filename*=UTF-8''" + "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in raw)


def _text(value: object) -> bytes:
    """Lone surrogates go as they are: it is for the daemon to refuse them."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
