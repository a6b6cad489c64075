"""Time-ordered ids: UUIDv7 with microseconds in the first random field (RFC 9562, method 3)."""

import random
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import count

_tails = random.Random()
"""Seeded once by the system. Ids must be unique, not secret, and the system's own generator takes ten times as long."""
VERSION, VARIANT = 0x7000, 1 << 63
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(now: datetime) -> str:
    """Make a lowercase UUIDv7 that sorts by `now`, to the microsecond."""
    return next(new_ids(now))


def new_ids(now: datetime) -> Iterator[str]:
    """Yield ids without end, each one microsecond after the previous one."""
    for moment in count(round(now.timestamp() * 1_000_000)):
        milliseconds, microseconds = divmod(moment, 1000)
        head = milliseconds << 16 | VERSION | microseconds * 4096 // 1000
        digits = (head << 64 | VARIANT | _tails.getrandbits(62)).to_bytes(16).hex()
        yield f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def first_id(moment: datetime) -> str:
    """Return the common prefix of all ids of this millisecond: every earlier id sorts before it, all others after."""
    digits = f"{round(moment.timestamp() * 1_000_000) // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def is_id(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def short(uuid: str) -> str:
    """Drop the hyphens: 32 characters, since callback data has room for 64 bytes."""
    return uuid.replace("-", "")


def full(text: str) -> str:
    """Put the hyphens that `short` dropped back in."""
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
