"""Places in the config file: what stands there, which keys lead to it, and a way to refuse it by line and column."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from notifybot.config_nodes import Problem, reason_and_hint, shown, substitute
from notifybot.config_values import Kind

_CORE = "tag:yaml.org,2002:"
_KINDS = {
    "str": Kind.TEXT,
    "int": Kind.WHOLE,
    "float": Kind.NUMBER,
    "bool": Kind.FLAG,
    "timestamp": Kind.DATE,
    "null": Kind.NOTHING,
    # A plain = or << as a value means nothing else than its text.
    "value": Kind.TEXT,
    "merge": Kind.TEXT,
}
_COLLECTIONS = {"map": "a section", "seq": "a list"}

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class UnusableError(Exception):
    """What was being read is reported already and has no value."""


@dataclass(frozen=True)
class Reading:
    """One reading of one file: what it may look at, what was found wrong, and where each key stands (1-based)."""

    folder: Path
    environ: Mapping[str, str]
    problems: list[Problem]
    places: dict[str, tuple[int, int]]

    def report(self, key: str, what: str, hint: str | None = None) -> None:
        """Report a problem at the place of `key`, or of what contains it where it is not in the file."""
        known = key
        while known and known not in self.places:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        self.problems.append(Problem(*self.places.get(known, (1, 1)), key, what, hint))


@dataclass(frozen=True)
class At:
    """A place in the file: its node, and the dotted path of keys that leads to it."""

    node: Node
    path: str
    reading: Reading

    def refuse(self, what: str, hint: str | None = None) -> NoReturn:
        """Report what is wrong here and raise UnusableError."""
        self.reading.problems.append(Problem(*position_of(self.node), self.path, what, hint))
        raise UnusableError

    def below(self, node: Node, step: str) -> "At":
        """Return the place of a child; `step` is ".key" or "[index]"."""
        path = f"{self.path}{step}".removeprefix(".")
        self.reading.places.setdefault(path, position_of(node))
        return At(node, path, self.reading)

    def absent(self, key: str) -> "At":
        """Return the empty place of a key that is not in this section, at the section's own line and column."""
        node = ScalarNode(f"{_CORE}null", "", self.node.start_mark, self.node.end_mark)
        return At(node, f"{self.path}.{key}".removeprefix("."), self.reading)

    def entries(self) -> dict[str, "At"]:
        """Return what stands below each key; an empty place is an empty section. Report keys given twice."""
        if self.is_nothing():
            return {}
        if not isinstance(self.node, MappingNode) or self.node.tag != f"{_CORE}map":
            self.refuse(f"needs a section of its own keys, not {_kind_of(self.node)}")
        found: dict[str, At] = {}
        for name, value in self.node.value:
            with suppress(UnusableError):
                word = self._key(name)
                if word in found:
                    line = position_of(found[word].node)[0]
                    self.below(name, step_to(word)).refuse(
                        f"this key is given twice, first in line {line}", "Keep one of them."
                    )
                found[word] = self.below(value, step_to(word))
        return found

    def items(self) -> list["At"]:
        """Return the places of a list."""
        if self.is_nothing():
            self.refuse("needs a list, but nothing stands here", "Write [] for an empty one, or leave the key out.")
        if not isinstance(self.node, SequenceNode) or self.node.tag != f"{_CORE}seq":
            self.refuse(f"needs a list, not {_kind_of(self.node)}", "Write it in brackets: [one, two].")
        return [self.below(node, f"[{at}]") for at, node in enumerate(self.node.value)]

    def text(self) -> tuple[str, Kind | None]:
        """Return a single value's text and what YAML takes it for; None where it came from a variable."""
        if not isinstance(self.node, ScalarNode):
            self.refuse(f"needs one value, not {_kind_of(self.node)}")
        text, kind = self.node.value, _KINDS.get(self.node.tag.removeprefix(_CORE))
        if kind is None:
            self.refuse(f"the tag {shown(self.node.tag)} is not known here", "Remove it.")
        if _HALF_CHARACTER.search(text):
            self.refuse("half of a surrogate pair is no character", "Remove the \\u escape.")
        if "${" not in text:
            return text, kind if text.strip() else Kind.NOTHING
        try:
            text = substitute(text, self.reading.environ)
        except ValueError as error:
            self.refuse(*reason_and_hint(error))
        return text, None if text.strip() else Kind.NOTHING

    def is_nothing(self) -> bool:
        """Say whether nothing, null, "" or an empty variable stands here."""
        return isinstance(self.node, ScalarNode) and self.text()[1] is Kind.NOTHING

    def _key(self, node: Node) -> str:
        place = At(node, self.path, self.reading)
        if not isinstance(node, ScalarNode):
            place.refuse("a key must be a single word")
        if node.tag == f"{_CORE}merge":
            place.refuse("merging with << is not supported", "Write the keys out.")
        return str(node.value)


def step_to(word: str) -> str:
    """Return the last step of a path to a key, fit for one line whatever the key is."""
    return f".{shown(word)[1:-1]}"


def position_of(node: Node) -> tuple[int, int]:
    """Return line and column, both from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def _kind_of(node: Node) -> str:
    if isinstance(node, CollectionNode):
        return _COLLECTIONS.get(node.tag.removeprefix(_CORE), f"the tag {shown(node.tag)}")
    return "a single value"
