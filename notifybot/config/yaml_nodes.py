"""Parse the config file into YAML nodes that know their key, line and column."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import yaml
from yaml.error import Mark
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from notifybot.config.problems import (
    TOKEN_SHAPE,
    ConfigInvalid,
    Problem,
    UnreadableError,
    read_bounded,
    reason_and_hint,
    shown,
)
from notifybot.config.secrets import substitute

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 20_000
"""Counted after alias expansion: a small file can otherwise expand to billions of nodes."""

_TAB = re.compile(r" *\t\s*[^\s#]")
_SYNTAX_HINTS = {
    "mapping values are not allowed": "Quote text that contains a colon, and check the indentation.",
    "found undefined alias": "Quote text that starts with *.",
    "while scanning an alias": "Quote text that starts with *.",
    "found character '@'": "Quote text that starts with @.",
    "found character '`'": "Quote the text.",
    "found character '%'": "Quote the text.",
    "expected a single document": "Remove the line with ---.",
    "expected ',' or": "Close the bracket, and quote text that contains brackets, commas or colons.",
    "could not find expected ':'": "Write it as key: value.",
}


def read_nodes(file: Path) -> Node:
    """Parse a YAML file into nodes, without building objects. An empty file is a null node. Raise ConfigInvalid."""
    try:
        return _compose(_decode(read_bounded(file, MAX_FILE_BYTES)))
    except UnreadableError as error:
        raise ConfigInvalid(file, [error.problem]) from None


class _NodeComposer(yaml.SafeLoader):
    """Stops at MAX_DEPTH, before the library runs into a RecursionError, and at MAX_NODES, before it builds more."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem="the file has too many values", problem_mark=self.get_mark())
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nesting is too deep", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8", "replace"))
        raise UnreadableError(
            "the file is not UTF-8 text", "Save the file as UTF-8.", line=line, column=column
        ) from error


def _compose(text: str) -> Node:
    try:
        root = yaml.compose(text, Loader=_NodeComposer) or ScalarNode(
            "tag:yaml.org,2002:null", "", Mark("", 0, 0, 0, None, 0)
        )
    except ReaderError as error:
        line, column = _position(text[: error.position])
        raise UnreadableError(
            "the file contains a control character here", "Remove it.", line=line, column=column
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from error
    if _expanded_size(root, {}) > MAX_NODES:
        raise UnreadableError("the file is too large once its aliases (*name) are expanded", "Write the values out.")
    return root


def _position(before: str) -> tuple[int, int]:
    """Return the line and column, both from 1, right after the text `before`."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    tab = next((at for at, content in enumerate(text.split("\n")[:line], 1) if _TAB.match(content)), None)
    if tab is not None:
        return UnreadableError("this line is indented with a tab", "Indent with spaces.", line=tab)
    reason = TOKEN_SHAPE.sub("…", str(error.problem or error.context))
    hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in f"{error.context} {reason}"), None)
    return UnreadableError(f"invalid YAML: {reason}", hint, line=line, column=column)


def _expanded_size(node: Node, known: dict[int, int]) -> int:
    """Count the nodes below `node` with aliases expanded. A node that contains itself counts as MAX_NODES."""
    if not isinstance(node, CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MAX_NODES
        pairs = (child for pair in node.value for child in pair)
        children = pairs if isinstance(node, MappingNode) else node.value
        known[id(node)] = 1 + sum(_expanded_size(child, known) for child in children)
    return known[id(node)]


class YamlKind(StrEnum):
    """Type that YAML gives to a plain value."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    DATE = "a date"
    NOTHING = "nothing"


_CORE = "tag:yaml.org,2002:"
_KINDS = {
    "str": YamlKind.TEXT,
    "int": YamlKind.WHOLE,
    "float": YamlKind.NUMBER,
    "bool": YamlKind.FLAG,
    "timestamp": YamlKind.DATE,
    "null": YamlKind.NOTHING,
    # A plain = or << as a value is just text.
    "value": YamlKind.TEXT,
    "merge": YamlKind.TEXT,
}
_COLLECTIONS = {"map": "a section", "seq": "a list"}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class UnusableError(Exception):
    """This place has no usable value, and the problem is already reported."""


@dataclass(frozen=True)
class Reading:
    """State of one pass over one file: its surroundings, the problems found, and each key's line and column from 1."""

    folder: Path
    environ: Mapping[str, str]
    problems: list[Problem]
    places: dict[str, tuple[int, int]]
    is_start: bool = False
    """The daemon starts: values with a lenient parser use it."""

    def report(self, key: str, what: str, hint: str | None = None) -> None:
        """Report a problem at `key`, or at its nearest parent that is in the file."""
        known = key
        while known and known not in self.places:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        self.problems.append(Problem(*self.places.get(known, (1, 1)), key, what, hint))


@dataclass(frozen=True)
class At:
    """A place in the file: a node and the dotted path of its key."""

    node: Node
    path: str
    reading: Reading

    def refuse(self, what: str, hint: str | None = None) -> NoReturn:
        """Report a problem here and raise UnusableError."""
        self.reading.problems.append(Problem(*position_of(self.node), self.path, what, hint))
        raise UnusableError

    def child(self, node: Node, step: str) -> "At":
        """Return a child's place; `step` is ".key" or "[index]"."""
        path = f"{self.path}{step}".removeprefix(".")
        self.reading.places.setdefault(path, position_of(node))
        return At(node, path, self.reading)

    def absent(self, key: str) -> "At":
        """Return an empty place for a key that is not in this section, at the section's line and column."""
        node = ScalarNode(f"{_CORE}null", "", self.node.start_mark, self.node.end_mark)
        return At(node, f"{self.path}.{key}".removeprefix("."), self.reading)

    def entries(self) -> dict[str, "At"]:
        """Return the place of each key's value; an empty place is an empty section. Report duplicate keys."""
        if self.is_empty():
            return {}
        if not isinstance(self.node, MappingNode) or self.node.tag != f"{_CORE}map":
            self.refuse(f"must be a section, not {_kind_of(self.node)}")
        found: dict[str, At] = {}
        for name, value in self.node.value:
            with suppress(UnusableError):
                word = self._key(name)
                if word in found:
                    line = position_of(found[word].node)[0]
                    self.child(name, step_to(word)).refuse(
                        f"duplicate key, first set on line {line}", "Keep one of them."
                    )
                found[word] = self.child(value, step_to(word))
        return found

    def items(self) -> list["At"]:
        """Return the places of a list's items."""
        if self.is_empty():
            self.refuse("must be a list, but is empty", "Write [] for an empty list, or remove the key.")
        if not isinstance(self.node, SequenceNode) or self.node.tag != f"{_CORE}seq":
            self.refuse(f"must be a list, not {_kind_of(self.node)}", "Use brackets: [one, two].")
        return [self.child(node, f"[{at}]") for at, node in enumerate(self.node.value)]

    def text(self) -> tuple[str, YamlKind | None]:
        """Return a single value's text and its YAML type; None for text from a variable."""
        if not isinstance(self.node, ScalarNode):
            self.refuse(f"must be a single value, not {_kind_of(self.node)}")
        text, kind = self.node.value, _KINDS.get(self.node.tag.removeprefix(_CORE))
        if kind is None:
            self.refuse(f"unknown YAML tag {shown(self.node.tag)}", "Remove it.")
        if _LONE_SURROGATE.search(text):
            self.refuse("a lone surrogate is not a character", "Remove the \\u escape.")
        if "${" not in text:
            return text, kind if text.strip() else YamlKind.NOTHING
        try:
            text = substitute(text, self.reading.environ)
        except ValueError as error:
            self.refuse(*reason_and_hint(error))
        return text, None if text.strip() else YamlKind.NOTHING

    def is_empty(self) -> bool:
        """Return True for a missing value, null, "" and an empty variable."""
        return isinstance(self.node, ScalarNode) and self.text()[1] is YamlKind.NOTHING

    def _key(self, node: Node) -> str:
        place = At(node, self.path, self.reading)
        if not isinstance(node, ScalarNode):
            place.refuse("a key must be a single value")
        if node.tag == f"{_CORE}merge":
            place.refuse("merging with << is not supported", "Write the keys out.")
        return str(node.value)


def step_to(word: str) -> str:
    """Return a path's step to a key, in one short line even for an odd key."""
    return f".{shown(word)[1:-1]}"


def position_of(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _kind_of(node: Node) -> str:
    if isinstance(node, CollectionNode):
        return _COLLECTIONS.get(node.tag.removeprefix(_CORE), f"the tag {shown(node.tag)}")
    return "a single value"
