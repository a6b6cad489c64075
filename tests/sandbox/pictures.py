"""Generated images: complete PNGs of any size, and minimal files of other formats."""

import struct
import zlib

GREY = 0x80


def png(width: int = 640, height: int = 480) -> bytes:
    """Return a grey PNG that any viewer shows."""
    rows = (b"\0" + bytes([GREY]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def png_of_bytes(size: int) -> bytes:
    """Return a PNG of exactly this size, padded with a chunk that viewers skip."""
    whole = png(10, 10)
    return whole[:33] + _chunk((b"teXt", b"x" * (size - len(whole) - 12))) + whole[33:]


def jpeg(width: int, height: int) -> bytes:
    """Return the markers of a JPEG with a comment before its frame, without image data."""
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"note"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 8, 8, height, width, 0)
    return b"\xff\xd8" + comment + frame + b"\xff\xda\x00\x02\x00\xff\xd9"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"\x3b"


def bmp(width: int, height: int) -> bytes:
    # A height below zero: rows from top to bottom.
    return b"BM" + struct.pack("<IHHIIii", 30, 0, 0, 26, 12, width, -height) + bytes(4)


def webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + sides


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, data = chunk
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
