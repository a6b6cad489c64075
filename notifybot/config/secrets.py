"""Resolve variables and secret files in config values."""

import re
from collections.abc import Mapping
from pathlib import Path

from notifybot.config.problems import UnreadableError, read_bounded

MAX_SECRET_BYTES = 64_000
_VARIABLE = re.compile(r"\$(\$)?\{([^}]*)(\}?)")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def read_secret(file: Path) -> str:
    """Return the stripped text of a file that contains one secret; raise ValueError(reason)."""
    try:
        text = read_bounded(file, MAX_SECRET_BYTES).decode().strip()
    except UnreadableError as error:
        raise ValueError(f"{file} {error.problem.what.removeprefix('the file ')}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{file} is empty")
    return text


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}`, and `$${` with `${`; raise ValueError(reason, hint).

    NAME comes from the environment, then from the file named by NAME_FILE. A default also replaces an empty value.
    Replaced text is not expanded again.
    """
    return _VARIABLE.sub(lambda found: _replacement(found, environ), text)


def variables_in(text: str) -> list[str]:
    """Return the names of the variables in a text."""
    inside = (_NAME.fullmatch(found[2]) for found in _VARIABLE.finditer(text) if not found[1])
    return [name[1] for name in inside if name]


def look_up(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable `name`, else the content of the file named by `name`_FILE; raise ValueError(reason)."""
    value = environ.get(name)
    if not value and environ.get(f"{name}_FILE"):
        value = read_secret(Path(environ[f"{name}_FILE"]))
    # os.environ decodes bytes that are not UTF-8 to lone surrogates.
    if value is not None and not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"the environment variable {name} is not UTF-8 text")
    return value


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    escape, inside, end = found.groups()
    if escape:
        return found[0][1:]
    name = _NAME.fullmatch(inside)
    if name is None or not end or "${" in inside:
        raise ValueError("write a variable as ${NAME} or ${NAME:-default}, and a literal ${ as $${")
    value = look_up(name[1], environ)
    if name[2] is not None:
        return value or name[2]
    if value is None:
        raise ValueError(f"the environment variable {name[1]} is not set", f"Set it, or write ${{{name[1]}:-default}}.")
    return value
