"""Read variables from the file `.env` beside the config."""

import re
from collections.abc import Mapping
from pathlib import Path

from notifybot.config.problems import ConfigInvalid, Problem, UnreadableError, read_bounded

NAME = ".env"
MAX_BYTES = 1_000_000
_FORM = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
_COMMENT = re.compile(r"(^|\s+)#.*")


def with_env_file(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment and the variables of the file. Exported ones win, NAME_FILE also over NAME.

    Raises ConfigInvalid for a file that cannot be read or understood; errors never quote a value.
    """
    file = folder / NAME
    try:
        text = read_bounded(file, MAX_BYTES).decode("utf-8-sig")
    except UnreadableError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return environ
        raise ConfigInvalid(file, [error.problem]) from None
    except UnicodeDecodeError:
        raise ConfigInvalid(file, [Problem(1, 1, "", "the file is not UTF-8 text", "Save it as UTF-8.")]) from None
    found = parse(file, text)
    return {**{name: value for name, value in found.items() if f"{name}_FILE" not in environ}, **environ}


def parse(file: Path, text: str) -> dict[str, str]:
    """Return the variables of an .env file. Raises ConfigInvalid with all problems."""
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        form = _FORM.fullmatch(written)
        value = None if form is None else _value(form[2])
        if form is None or value is None:
            problems.append(Problem(number, 1, "", "this is not a variable", 'Write it as NAME=value or NAME="value".'))
        else:
            found[form[1]] = value
    if problems:
        raise ConfigInvalid(file, problems)
    return found


def _value(written: str) -> str | None:
    """Return the value without its quotes or comment; None for a quote without its end."""
    if written[:1] not in ("'", '"'):
        return _COMMENT.sub("", written)
    quoted = _QUOTED.fullmatch(written)
    if quoted is None:
        return None
    return quoted[1] if quoted[1] is not None else re.sub(r'\\(["\\$])', r"\1", quoted[2])
