"""Problems in a config file, with line and column, in one exception."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from notifybot.errors import StartRefused
from notifybot.times.display import shorten

MAX_SHOWN = 60
TOKEN_SHAPE = re.compile(r"[0-9]{3,}:[A-Za-z0-9_-]{20,}")


@dataclass(frozen=True, order=True)
class Problem:
    """One problem; line and column count from 1."""

    line: int
    column: int
    key: str
    what: str
    hint: str | None = None

    def describe(self, file: Path) -> str:
        """Return `file:line:column: key: what is wrong. hint`."""
        parts = [
            f"{file}:{self.line}:{self.column}:",
            f"{self.key}:" if self.key else "",
            f"{self.what}.",
            self.hint or "",
        ]
        line = TOKEN_SHAPE.sub("…", " ".join(part for part in parts if part))
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class ConfigInvalid(StartRefused):
    """All problems of one config file, in file order; `detail` has one line for each."""

    title = "Invalid config"

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self.problems = tuple(
            sorted(set(problems), key=lambda problem: (problem.line, problem.column, problem.key, problem.what))
        )
        lines = (problem.describe(file) for problem in self.problems)
        super().__init__("\n".join(lines), hint="Fix this, then run: notifybot config check")


def shown(text: str) -> str:
    """Quote a text from the file, shortened and without anything that looks like a bot token."""
    text = TOKEN_SHAPE.sub("…", text)
    return repr(shorten(text, MAX_SHOWN))


def reason_and_hint(error: ValueError) -> tuple[str, str | None]:
    """Split the arguments of a parser's error into reason and hint."""
    reason, hint = (*error.args, None, None)[:2]
    return str(reason), hint


class UnreadableError(Exception):
    def __init__(self, what: str, hint: str | None = None, *, line: int = 1, column: int = 1) -> None:
        super().__init__(what)
        self.problem = Problem(line, column, "", what, hint)


def read_bounded(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise UnreadableError(f"the file cannot be read: {reason}") from error
    if len(content) > limit:
        raise UnreadableError(f"the file is larger than {limit:,} bytes")
    return content
