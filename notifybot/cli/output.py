"""Output of the commands: lines, JSON, errors, times, and text from outside made safe for a terminal."""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo

from notifybot.errors import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client import Refused

# Control characters control a terminal, directional marks disguise text, lone surrogates cannot be encoded.
_UNSAFE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
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


class Terminal:
    """The output device. `width` in columns, None in a pipe."""

    def __init__(self, *, width: int | None, has_colour: bool) -> None:
        self.width = width
        self.has_colour = has_colour

    def paint(self, word: str, text: str | None = None) -> str:
        """Colour `text` (default: the word itself) in the colour of the state `word`."""
        shown = word if text is None else text
        colour = _COLOURS.get(word) if self.has_colour else None
        return f"\x1b[{colour}m{shown}\x1b[0m" if colour else shown


def terminal() -> Terminal:
    """Inspect standard output. Respects NO_COLOR, TERM=dumb and COLUMNS."""
    if not sys.stdout.isatty():
        return Terminal(width=None, has_colour=False)
    environ = os.environ
    has_colour = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return Terminal(width=output_width(), has_colour=has_colour)


def output_width() -> int | None:
    """Return the columns of standard output, by COLUMNS or its terminal; None if neither says."""
    named = os.environ.get("COLUMNS", "")
    try:
        if named.isascii() and named.isdigit():
            return int(named) or None
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (AttributeError, ValueError, OSError):  # closed, replaced, or no terminal
        return None


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - importing clock.py, and asyncio with it, doubles the start-up time


def escape_unencodable_output() -> None:
    """Escape characters that the locale cannot encode, instead of failing after the work is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(line: str) -> None:
    with _reporting_errors():
        print(line)


def flush() -> None:
    """Flush standard output, so that errors show now and not when the interpreter exits."""
    with _reporting_errors():
        sys.stdout.flush()


@contextmanager
def _reporting_errors() -> Iterator[None]:
    """Report a failed write once: /dev/null takes the rest, or the interpreter would complain at exit."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        from notifybot.client import ClientError

        detail = f"Cannot write to standard output: {error.strerror}."
        raise ClientError(detail, hint="The command itself succeeded.") from error


def print_warning(line: str) -> None:
    """Print on standard error what the sender should know although the command succeeds."""
    print(f"warning: {one_line(line)}", file=sys.stderr)


def print_error(detail: str, hint: str) -> None:
    """Print the two lines on standard error that end every failure."""
    print(f"error: {one_line(detail)}", file=sys.stderr)
    print(f"hint: {one_line(hint)}", file=sys.stderr)


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what an accepted message lacks."""
    for warning in warnings:
        print(f"warning: {one_line(warning)}", file=sys.stderr)


def unknown_name(what: str, name: str, known: Iterable[str]) -> "Refused":
    """Make the error for an unknown name, with the nearest known one."""
    from notifybot.client import Refused

    names = list(known)
    near = did_you_mean(name, names)
    hint = f"There are {', '.join(names)}." if names else "There are none."
    return Refused(f"There is no {what} {name}.", hint=f"Did you mean {near}?" if near else hint)


def print_json(document: object) -> None:
    """Print JSON, with control characters escaped."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(document, indent=2, ensure_ascii=not is_unicode, default=dict)
    print_line(re.sub(_UNSAFE, lambda match: f"\\u{ord(match[0]):04x}", text))


def sanitized(text: str) -> str:
    """Make control characters visible; line breaks stay."""
    return re.sub(_UNSAFE, _visible, text.replace("\r\n", "\n").expandtabs(4))


def one_line(text: str) -> str:
    """Sanitize a text and put it on one line, with single spaces."""
    return re.sub(_UNSAFE, _visible, " ".join(text.split()))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def span(length: timedelta) -> str:
    """Format a span as one number: `12s`, `5m`, `3h`, `2d`."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def size_of(size: int | None) -> str:
    """Format a size: `812 B`, `48 kB`, `3.2 MB`; empty if unknown."""
    if size is None:
        return ""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"


def short_time(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Format a time in the local zone or `zone`: `10:31:02` today, else `2026-03-01 10:31`."""
    local = at.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone(zone).date() else f"{local:%Y-%m-%d %H:%M}"


def exact_time(at: datetime) -> str:
    """Format a time in the local zone: `2026-03-01 10:31:02 CET`."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def full_time(at: datetime, now: datetime) -> str:
    """Format a time in the local zone, with its distance: `2026-03-01 10:31:02 CET (3m ago)`."""
    return f"{exact_time(at)} ({_distance(at, now)})"


def full_date(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Format a future time in the local zone or `zone`: `Sun 2026-03-01 10:31 CET (in 2h)`."""
    local = at.astimezone(zone)
    seconds = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local:%a %Y-%m-%d} {seconds} {local:%Z} ({_distance(at, now)})"


def _distance(at: datetime, now: datetime) -> str:
    return f"{span(now - at)} ago" if at <= now else time_until(at, now)


def time_until(at: datetime, now: datetime) -> str:
    """Format a distance, rounded up: `in 2h`, even a moment after someone asked for two hours."""
    return f"in {span(at - now + ROUNDING)}"
