"""The config file as YAML nodes that know their line and column, and what is wrong with it as a list of problems."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.error import Mark
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode
from yaml.reader import ReaderError

from notifybot.errors import StartRefused

MAX_FILE_BYTES = 1_000_000
MAX_SECRET_BYTES = 64_000
MAX_DEPTH = 20
MAX_NODES = 20_000
"""Nodes once every alias is followed: a small file can otherwise stand for billions."""

_TAB = re.compile(r" *\t\s*[^\s#]")
_TOKEN = re.compile(r"[0-9]{3,}:[A-Za-z0-9_-]{20,}")
_VARIABLE = re.compile(r"\$(\$)?\{([^}]*)(\}?)")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_SYNTAX_HINTS = {
    "mapping values are not allowed": "Put a text that contains a colon in quotes, and check the indentation.",
    "found undefined alias": "Put a text that begins with * in quotes.",
    "while scanning an alias": "Put a text that begins with * in quotes.",
    "found character '@'": "Put a text that begins with @ in quotes.",
    "found character '`'": "Put the text in quotes.",
    "found character '%'": "Put the text in quotes.",
    "expected a single document": "Remove the line with ---.",
    "expected ',' or": "Close the bracket, and put a text with brackets, commas or colons in quotes.",
    "could not find expected ':'": "Write it as key: value.",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, and where: line and column count from 1."""

    line: int
    column: int
    key: str
    what: str
    hint: str | None = None

    def describe(self, file: Path) -> str:
        """Return `file:line:column: key: what is wrong. hint` in one line."""
        parts = [
            f"{file}:{self.line}:{self.column}:",
            f"{self.key}:" if self.key else "",
            f"{self.what}.",
            self.hint or "",
        ]
        line = _TOKEN.sub("…", " ".join(part for part in parts if part))
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class ConfigInvalid(StartRefused):
    """Everything that is wrong with one config file, in the order of the file; `detail` has a line for each."""

    title = "Invalid config"

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self.problems = tuple(
            sorted(set(problems), key=lambda problem: (problem.line, problem.column, problem.key, problem.what))
        )
        lines = (problem.describe(file) for problem in self.problems)
        super().__init__("\n".join(lines), hint="Mend this, then look again with: notifybot config check")


def read_nodes(file: Path) -> Node:
    """Read a YAML file without building anything from it; an empty one is a null node. Raise ConfigInvalid."""
    try:
        return _compose(_decode(_read_bounded(file, MAX_FILE_BYTES)))
    except _UnreadableError as error:
        raise ConfigInvalid(file, [error.problem]) from None


def read_secret(file: Path) -> str:
    """Return the stripped text of a file that holds one secret; raise ValueError with the reason."""
    try:
        text = _read_bounded(file, MAX_SECRET_BYTES).decode().strip()
    except _UnreadableError as error:
        raise ValueError(f"{file} {error.problem.what.removeprefix('the file ')}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{file} is empty")
    return text


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}`; `$${` stands for a plain `${`. Raise ValueError with the reason.

    NAME is looked up in the environment, then in the file that NAME_FILE names. Empty counts as unset where
    there is a default. What is put in is not looked through again.
    """
    return _VARIABLE.sub(lambda found: _replacement(found, environ), text)


def variables_in(text: str) -> list[str]:
    """Return the names of the variables that a text refers to."""
    inside = (_NAME.fullmatch(found[2]) for found in _VARIABLE.finditer(text) if not found[1])
    return [name[1] for name in inside if name]


def look_up(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable `name`, else the content of the file that `name`_FILE names; raise ValueError."""
    value = environ.get(name)
    if not value and environ.get(f"{name}_FILE"):
        value = read_secret(Path(environ[f"{name}_FILE"]))
    # Bytes that are not UTF-8 come out of os.environ as lone surrogates.
    if value is not None and not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"the environment variable {name} is not UTF-8 text")
    return value


def shown(text: str) -> str:
    """Return a text of the file as one short quoted word, without what looks like a bot token."""
    text = _TOKEN.sub("…", text)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def reason_and_hint(error: ValueError) -> tuple[str, str | None]:
    """Return what a refused value's error says: its reason, and its second argument as the hint."""
    reason, hint = (*error.args, None, None)[:2]
    return str(reason), hint


class _UnreadableError(Exception):
    def __init__(self, what: str, hint: str | None = None, *, line: int = 1, column: int = 1) -> None:
        super().__init__(what)
        self.problem = Problem(line, column, "", what, hint)


class _Composer(yaml.SafeLoader):
    """Stops at MAX_DEPTH, before the recursion of the library ends in a RecursionError."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="this is nested too deeply", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _read_bounded(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise _UnreadableError(f"the file cannot be read: {reason}") from error
    if len(content) > limit:
        raise _UnreadableError(f"the file is larger than {limit:,} bytes")
    return content


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8", "replace"))
        raise _UnreadableError("this is not UTF-8 text", "Save the file as UTF-8.", line=line, column=column) from error


def _compose(text: str) -> Node:
    try:
        root = yaml.compose(text, Loader=_Composer) or ScalarNode(
            "tag:yaml.org,2002:null", "", Mark("", 0, 0, 0, None, 0)
        )
    except ReaderError as error:
        line, column = _position(text[: error.position])
        raise _UnreadableError("a control character stands here", "Remove it.", line=line, column=column) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from error
    if _expanded_size(root, {}) > MAX_NODES:
        raise _UnreadableError("the file is too large once its aliases (*name) are followed", "Write the values out.")
    return root


def _position(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows the text `before`."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> _UnreadableError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    tab = next((at for at, content in enumerate(text.split("\n")[:line], 1) if _TAB.match(content)), None)
    if tab is not None:
        return _UnreadableError("this line is indented with a tab", "Indent with spaces.", line=tab)
    reason = _TOKEN.sub("…", str(error.problem or error.context))
    hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in f"{error.context} {reason}"), None)
    return _UnreadableError(f"this is not valid YAML: {reason}", hint, line=line, column=column)


def _expanded_size(node: Node, known: dict[int, int]) -> int:
    """Count the nodes below `node` as if each alias were written out; one that contains itself counts as too many."""
    if not isinstance(node, CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MAX_NODES
        pairs = (child for pair in node.value for child in pair)
        children = pairs if isinstance(node, MappingNode) else node.value
        known[id(node)] = 1 + sum(_expanded_size(child, known) for child in children)
    return known[id(node)]


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    escape, inside, end = found.groups()
    if escape:
        return found[0][1:]
    name = _NAME.fullmatch(inside)
    if name is None or not end or "${" in inside:
        raise ValueError("a variable is written ${NAME} or ${NAME:-default}; $${ stands for ${ itself")
    value = look_up(name[1], environ)
    if name[2] is not None:
        return value or name[2]
    if value is None:
        raise ValueError(f"the environment variable {name[1]} is not set", f"Set it, or write ${{{name[1]}:-default}}.")
    return value
