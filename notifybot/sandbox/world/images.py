"""Detect an image's type and size from its header, without decoding it."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from notifybot.sandbox.world.spool import Content

# Comments, thumbnails and colour profiles may precede a JPEG's dimensions.
HEADER_BYTES = 1 << 20
TAIL_BYTES = 4096
# Markers of a JPEG frame, except those in this range that are tables.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Image:
    """An image that Telegram can read: type, file extension, and size in pixels."""

    mime_type: str
    extension: str
    width: int
    height: int


def read_image(content: Content) -> Image | None:
    """Return the image; None if Telegram does not support it, or it is truncated."""
    head, tail = content.first(HEADER_BYTES), content.last(TAIL_BYTES)
    for kind in KINDS:
        if kind.begins(head):
            size = kind.size(head)
            is_whole = size is not None and min(size) > 0 and kind.is_whole(tail, content.size, head)
            return Image(kind.mime_type, kind.extension, *size) if size and is_whole else None
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """An image format: signature, size, and check for truncation."""

    mime_type: str
    extension: str
    begins: Callable[[bytes], bool]
    size: Callable[[bytes], tuple[int, int] | None]
    is_whole: Callable[[bytes, int, bytes], bool]


def _png_size(head: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", head[16:24]) if len(head) >= 24 and head[12:16] == b"IHDR" else None


def _gif_size(head: bytes) -> tuple[int, int] | None:
    return struct.unpack("<HH", head[6:10]) if len(head) >= 10 else None


def _bmp_size(head: bytes) -> tuple[int, int] | None:
    if len(head) < 26:
        return None
    width, height = struct.unpack("<ii", head[18:26])
    return width, abs(height)


def _webp_size(head: bytes) -> tuple[int, int] | None:
    if len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack("<HH", head[26:30])
            return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Skip from marker to marker up to the frame with the size."""
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker in JPEG_FRAMES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 if marker in JPEG_BARE else 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _ends_with_size(_tail: bytes, size: int, head: bytes) -> bool:
    return size >= int.from_bytes(head[2:6], "little")


KINDS = (
    Kind(
        "image/jpeg",
        "jpg",
        lambda head: head.startswith(b"\xff\xd8\xff"),
        _jpeg_size,
        lambda tail, _size, _head: b"\xff\xd9" in tail,
    ),
    Kind(
        "image/png",
        "png",
        lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
        _png_size,
        lambda tail, _size, _head: b"IEND" in tail,
    ),
    Kind(
        "image/webp",
        "webp",
        lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
        _webp_size,
        lambda _tail, size, head: size >= 8 + int.from_bytes(head[4:8], "little"),
    ),
    Kind(
        "image/gif",
        "gif",
        lambda head: head.startswith((b"GIF87a", b"GIF89a")),
        _gif_size,
        lambda tail, _size, _head: b"\x3b" in tail,
    ),
    Kind("image/bmp", "bmp", lambda head: head.startswith(b"BM"), _bmp_size, _ends_with_size),
)
