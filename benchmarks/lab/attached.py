"""Attachments of test messages: unique pictures and documents."""

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

WITH_FILES = 0.3
"""Share of messages with attachments."""
DOCUMENT_BYTES = 200_000
"""Size of the larger ones: their upload takes long enough to be cut off."""


@dataclass(frozen=True)
class Attached:
    """A file of a form: `field` is photo or document."""

    field: str
    name: str
    content: bytes


def attached(mark: str, rng: random.Random) -> tuple[Attached, ...]:
    """Return the attachments of the message with this mark: none, a picture, an album, documents, or both."""
    if rng.random() > WITH_FILES:
        return ()
    pictures, documents = rng.choice(((1, 0), (3, 0), (0, 1), (0, 2), (1, 1), (11, 0)))
    return (*_pictures(mark, pictures), *_documents(mark, documents, rng))


def _pictures(mark: str, count: int) -> Iterator[Attached]:
    for number in range(count):
        yield Attached("photo", f"{mark}-{number}.png", _png(f"{mark} {number}".encode()))


def _documents(mark: str, count: int, rng: random.Random) -> Iterator[Attached]:
    for number in range(count):
        content = f"{mark} {number}\n".encode() + rng.randbytes(rng.choice((10, DOCUMENT_BYTES)))
        yield Attached("document", f"{mark}-{number}.bin", content)


def _png(comment: bytes) -> bytes:
    """Return a grey picture that contains an invisible comment."""
    side = 20
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * side) * side)
    chunks = ((b"IHDR", header), (b"tEXt", b"Comment\0" + comment), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
