"""Text and files of a message, from the command line or standard input."""

import argparse
import sys

from notifybot.cli.parser import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client import File

STDIN = "-"


def text_of(words: list[str], *, is_needed: bool) -> str | None:
    """Join the words; `-`, or no words if a text is needed, reads standard input.

    Invalid UTF-8 becomes replacement characters.
    """
    if words and words != [STDIN]:
        return " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not words and not is_needed:
        return None
    if sys.stdin is None or (not words and sys.stdin.isatty()):
        raise UsageError(
            "No text is given.", hint="Give it after the options, or pipe it in: `date | notifybot send --to R`."
        )
    text = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    if not text.strip():
        raise UsageError("Standard input is empty.", hint="Give the text after the options, or pipe it in.")
    return text


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
