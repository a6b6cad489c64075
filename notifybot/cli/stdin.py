"""Text and files of a message, from the command line and from standard input."""

import argparse
import sys

from notifybot.cli.parser import UsageError
from notifybot.client import File

STDIN = "-"


def text_of(words: list[str], *, is_needed: bool) -> str | None:
    """The text as given; `-`, or nothing where it is needed, reads standard input.

    Bytes that are no UTF-8 become replacement characters.
    """
    if words and words != [STDIN]:
        return " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not words and not is_needed:
        return None
    if sys.stdin is None or (not words and sys.stdin.isatty()):
        raise UsageError(
            "No text is given.", hint="Write it after the options, or pipe it in: `date | notifybot send --to R`."
        )
    text = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    if not text.strip():
        raise UsageError("Standard input is empty.", hint="Write the text after the options, or pipe it in.")
    return text


def files_of(arguments: argparse.Namespace) -> tuple[list[File], list[File]]:
    """The pictures and the files that are named. UsageError where they cannot be meant like this."""
    named = [*arguments.photo, *arguments.file]
    if arguments.file_name is not None and len(named) != 1:
        raise UsageError("--file-name goes with one file.", hint="Rename the files, or send them one by one.")
    if (*named, *(arguments.text if arguments.text == [STDIN] else ())).count(STDIN) > 1:
        raise UsageError("Standard input can be read once only.", hint="Write `-` in one place.")
    name = arguments.file_name
    return [_file(each, name) for each in arguments.photo], [_file(each, name) for each in arguments.file]


def _file(word: str, name: str | None) -> File:
    if word != STDIN:
        return File(word, name)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("No file comes from standard input.", hint="Pipe it in, or name the file.")
    return File(sys.stdin.buffer, name or "stdin")
