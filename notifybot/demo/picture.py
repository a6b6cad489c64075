"""A picture to send from the demo: how full a disk was, as a PNG."""

import struct
import zlib

WIDTH, HEIGHT, MARGIN, GAP = 640, 320, 24, 12
PAPER, BLUE, RED = b"\xff\xff\xff", b"\x4c\x8e\xda", b"\xd1\x24\x2f"
PERCENT = (58, 61, 66, 72, 77, 83, 90, 96)
NEARLY_FULL = 90


def disk_chart() -> bytes:
    """Draw one bar for each day; those of a nearly full disk are red."""
    rows = b"".join(b"\0" + _row(y) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _row(y: int) -> bytes:
    width = (WIDTH - 2 * MARGIN) // len(PERCENT)
    above = (HEIGHT - MARGIN - y) * 100 / (HEIGHT - 2 * MARGIN)
    bars = ((RED if value >= NEARLY_FULL else BLUE) if 0 < above <= value else PAPER for value in PERCENT)
    middle = b"".join(bar * (width - GAP) + PAPER * GAP for bar in bars)
    return PAPER * MARGIN + middle + PAPER * (WIDTH - MARGIN - width * len(PERCENT))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
