"""What the commands print: tables that fit, times for people, and texts from outside made harmless to a terminal."""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from notifybot.client.errors import ClientError, Refused

# Control characters drive a terminal, directional marks let text pose as other text, lone surrogates cannot be written.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOURS = {
    "scheduled": "33",
    "initiated": "33",
    "sent": "36",
    "escalated": "31",
    "failed": "31",
    "degraded": "33",
    "acknowledged": "32",
    "closed": "2",
    "cancelled": "2",
    "withdrawn": "2",
    "waiting": "33",
    "paused": "2",
    "shown": "32",
    "ok": "32",
}
ROUNDING = timedelta(microseconds=999_999)


@dataclass(frozen=True)
class Terminal:
    """Where output goes. `width` in columns, None where nobody looks at columns, as in a pipe."""

    width: int | None
    has_colour: bool

    def paint(self, word: str, text: str | None = None) -> str:
        """Colour `text` (default: the word itself) as the state `word` is coloured."""
        shown = word if text is None else text
        colour = _COLOURS.get(word) if self.has_colour else None
        return f"\x1b[{colour}m{shown}\x1b[0m" if colour else shown


def terminal() -> Terminal:
    """Look at standard output. NO_COLOR, TERM=dumb and COLUMNS are respected."""
    if not sys.stdout.isatty():
        return Terminal(width=None, has_colour=False)
    environ = os.environ
    has_colour = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    columns = environ.get("COLUMNS", "")
    width = (
        int(columns) if columns.isascii() and columns.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    )
    return Terminal(width=width or None, has_colour=has_colour)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - clock.py would load asyncio: as long again as a whole client call


def escape_unencodable_output() -> None:
    """Under a locale that cannot write a character, write its escape instead of failing after the work is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(line: str) -> None:
    with _writing():
        print(line)


def flush() -> None:
    """Find out now whether the output could be written, not when the interpreter ends."""
    with _writing():
        sys.stdout.flush()


@contextmanager
def _writing() -> Iterator[None]:
    """After a failure nothing more is written, for the interpreter would complain of it at its end."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        detail = f"Standard output cannot be written: {error.strerror}."
        raise ClientError(detail, hint="The command itself was done.") from error


def print_error(detail: str, hint: str) -> None:
    """The two lines on standard error that every failure ends with."""
    print(f"error: {one_line(detail)}", file=sys.stderr)
    print(f"hint: {one_line(hint)}", file=sys.stderr)


def unknown_name(what: str, name: str, known: Iterable[str]) -> Refused:
    """The error for a name that nothing has, with the nearest."""
    import difflib  # hardly ever needed

    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"There are {', '.join(names)}." if names else "There are none."
    return Refused(f"There is no {what} {name}.", hint=f"Did you mean {near[0]}?" if near else hint)


def print_json(document: object) -> None:
    """Print the document for machines; what could drive a terminal is escaped, which JSON allows in its strings."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(document, indent=2, ensure_ascii=not is_unicode, default=dict)
    print_line(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def sanitized(text: str) -> str:
    """Make what drives a terminal visible instead; line breaks stay."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n").expandtabs(4))


def one_line(text: str) -> str:
    """The same on one line, every stretch of white space as one space."""
    return _UNSAFE.sub(_visible, " ".join(text.split()))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def span(length: timedelta) -> str:
    """A span as one number: `12s`, `5m`, `3h`, `2d`."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def size_of(size: int | None) -> str:
    """A size as people tell it: `812 B`, `48 kB`, `3.2 MB`; nothing where it is not known."""
    if size is None:
        return ""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"


def short_time(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """A time in the local zone, or in `zone`: `10:31:02` today, else with its date."""
    local = at.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone(zone).date() else f"{local:%Y-%m-%d %H:%M}"


def exact_time(at: datetime) -> str:
    """A time in the local zone, to the second and with the zone: `2026-03-01 10:31:02 CET`."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def full_time(at: datetime, now: datetime) -> str:
    """A time in the local zone with date, zone and distance: `2026-03-01 10:31:02 CET (3m ago)`."""
    return f"{exact_time(at)} ({_distance(at, now)})"


def full_date(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """The same with the day of the week, in `zone`, and without seconds where there are none: for times ahead."""
    local = at.astimezone(zone)
    seconds = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local:%a %Y-%m-%d} {seconds} {local:%Z} ({_distance(at, now)})"


def _distance(at: datetime, now: datetime) -> str:
    return f"{span(now - at)} ago" if at <= now else time_until(at, now)


def time_until(at: datetime, now: datetime) -> str:
    """How far ahead it is: `in 2h`, also a moment after two hours were said."""
    return f"in {span(at - now + ROUNDING)}"
