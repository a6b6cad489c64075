"""Text and files of a message, from the command line or standard input."""

import argparse
import codecs
import re
import sys

from notifybot.cli.output import print_warning
from notifybot.cli.parser import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from notifybot.client import File

STDIN = "-"
MAX_STDIN_BYTES = 45_000_000
"""More fits into no file at Telegram."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(words: list[str], *, is_needed: bool) -> str | None:
    """Join the words; `-`, or no words if a text is needed, reads standard input."""
    if words and words != [STDIN]:
        return _read(" ".join(words).encode("utf-8", "surrogateescape"))
    if not words and not is_needed:
        return None
    if sys.stdin is None or (not words and sys.stdin.isatty()):
        raise UsageError(
            "No text is given.", hint="Give it after the options, or pipe it in: `date | notifybot send --to R`."
        )
    text = _read(_piped()).rstrip("\n")
    if not text.strip():
        raise UsageError("Standard input is empty.", hint="Give the text after the options, or pipe it in.")
    return text


def _piped() -> bytes:
    raw, is_cut = read_lines(sys.stdin.buffer, MAX_STDIN_BYTES)
    if is_cut:
        print_warning(f"standard input is longer than {MAX_STDIN_BYTES // 1_000_000} MB; the rest is left out.")
    return raw


def read_lines(stream: "IO[bytes]", limit: int) -> tuple[bytes, bool]:
    """Read at most `limit` bytes, up to the end of a line if possible; also return whether more follows."""
    raw = stream.read(limit + 1)
    if len(raw) <= limit:
        return raw, False
    return raw[: raw.rfind(b"\n", 0, limit) + 1 or limit], True


def _read(raw: bytes) -> str:
    try:
        return raw.decode("ascii")  # most texts, without importing locale
    except UnicodeDecodeError:
        import locale

    text, escaped = decoded(raw, locale.getencoding())
    if escaped:
        example = next(found[0] for found in re.finditer(r"\\x[0-9a-f]{2}", text))
        count = "1 byte is" if escaped == 1 else f"{escaped} bytes are"
        print_warning(f"the text is not UTF-8; {count} shown escaped, such as {example}.")
    return text


def decoded(raw: bytes, encoding: str) -> tuple[str, int]:
    r"""Decode by the byte order mark, else as UTF-8, else in the locale's `encoding`.

    Other bytes are escaped, like `\xe9`. Return the text and the number of escaped bytes.
    """
    for mark, named in MARKS:
        if raw.startswith(mark):
            return raw.decode(named, "backslashreplace"), 0
    for codec in ("utf-8", encoding):
        try:
            return raw.decode(codec), 0
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("utf-8", "backslashreplace"), len(raw) - len(raw.decode("utf-8", "ignore").encode())


MAX_LINES, MAX_COLUMNS = 200, 300
"""Limits of a table worth looking for."""


def looks_like_columns(text: str) -> bool:
    """Return True for text in columns, such as the output of df: most lines have a gap of spaces at the same place.

    Not if it has URLs: monospaced text has no links.
    """
    lines = [line for line in text.expandtabs().splitlines() if line.strip()]
    longest = max(map(len, lines), default=0)
    if not 2 <= len(lines) <= MAX_LINES or longest > MAX_COLUMNS or "://" in text:
        return False
    return any(_is_gutter(lines, place) for place in range(1, longest - 1))


def _is_gutter(lines: list[str], place: int) -> bool:
    """Return True if no line has a character at `place`, and most have a gap there between two words."""
    if any(line[place : place + 1] not in ("", " ") for line in lines):
        return False
    between = [line for line in lines if line[:place].strip() and line[place:].strip()]
    return sum("  " in line[place - 1 : place + 2] for line in between) * 3 >= len(lines) * 2


def files_of(arguments: argparse.Namespace) -> "tuple[list[File], list[File]]":
    """List the photos and the files. Raises UsageError for a combination that cannot work."""
    named = [*arguments.photo, *arguments.file]
    if arguments.file_name is not None and len(named) != 1:
        raise UsageError("--file-name needs exactly one file.", hint="Rename the files, or send them one by one.")
    if (*named, *(arguments.text if arguments.text == [STDIN] else ())).count(STDIN) > 1:
        raise UsageError("Standard input can only be read once.", hint="Use `-` once.")
    name = arguments.file_name
    return [_file(each, name) for each in arguments.photo], [_file(each, name) for each in arguments.file]


def _file(word: str, name: str | None) -> "File":
    from notifybot.client import File

    if word != STDIN:
        return File(word, name)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("Standard input is a terminal, not a file.", hint="Pipe the file in, or name it.")
    return File(sys.stdin.buffer, name or "stdin")
