"""Nodes of the config file to frozen dataclasses, by what each field of those says of its key.

A dataclass is one section and each of its fields one key: `key(...)`, `required(...)` or `secret_key(...)` gives the
default and what the key may be, built of single values, `ListOf`, `MapOf` and `SectionOf`. Reading goes on past every
problem, so that all are reported at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, NoReturn, Protocol, TypeVar, cast

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from notifybot.config_nodes import Problem, look_up, read_secret, reason_and_hint, shown, substitute
from notifybot.config_values import NAME, Kind, Value, nearest

T = TypeVar("T")
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)

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
_UNSET: tuple[object, ...] = (None, (), {}, "", Path())
"""Defaults for which null may stand in the file."""
_COLLECTIONS = {"map": "a section", "seq": "a list"}


class UnusableError(Exception):
    """What was being read is reported already and has no value."""


class Reads(Protocol[T_co]):
    """Something that makes a value of a place in the file, or reports it there and raises UnusableError."""

    def read(self, at: "At") -> T_co: ...


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
        self.reading.problems.append(Problem(*_position(self.node), self.path, what, hint))
        raise UnusableError

    def below(self, node: Node, step: str) -> "At":
        """Return the place of a child; `step` is ".key" or "[index]"."""
        path = f"{self.path}{step}".removeprefix(".")
        self.reading.places.setdefault(path, _position(node))
        return At(node, path, self.reading)

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
                    line = _position(found[word].node)[0]
                    self.below(name, _step(word)).refuse(
                        f"this key is given twice, first in line {line}", "Keep one of them."
                    )
                found[word] = self.below(value, _step(word))
        return found

    def items(self) -> list["At"]:
        """Return the places of a list; an empty place is an empty list."""
        if self.is_nothing():
            return []
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


@dataclass(frozen=True)
class Scalar(Generic[T]):
    """A single value."""

    value: Value[T]

    def read(self, at: At) -> T:
        text, kind = at.text()
        if kind is Kind.NOTHING:
            at.refuse(f"needs {self.value.name}, but nothing stands here", "Give a value, or leave the key out.")
        if kind is not None and kind not in self.value.kinds:
            self._refuse_kind(at, text, kind)
        try:
            return self.value.parse(text)
        except ValueError as error:
            what = "the value" if self.value.is_secret else shown(cast(ScalarNode, at.node).value)
            reason, hint = reason_and_hint(error)
            at.refuse(f"{what} is refused: {reason}", hint)

    def _refuse_kind(self, at: At, text: str, kind: Kind) -> NoReturn:
        if self.value.is_secret:
            at.refuse(f"needs {self.value.name}, and YAML reads this as {kind}", "Put it in quotes.")
        if Kind.TEXT in self.value.kinds and self._accepts(text):
            at.refuse(f"YAML reads {shown(text)} as {kind}", f'Put it in quotes: "{shown(text)[1:-1]}".')
        at.refuse(
            f"needs {self.value.name}, not {shown(text)}", "Write it without quotes." if kind is Kind.TEXT else None
        )

    def _accepts(self, text: str) -> bool:
        try:
            self.value.parse(text)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class ListOf(Generic[T]):
    """A list, read item by item."""

    item: Reads[T] | Value[T]
    least: int = 0

    def read(self, at: At) -> tuple[T, ...]:
        values = []
        for place in at.items():
            with suppress(UnusableError):
                values.append(_reads(self.item).read(place))
        if len(at.items()) < self.least:
            at.refuse("the list is empty", f"Name at least {self.least}.")
        return tuple(values)


@dataclass(frozen=True)
class MapOf(Generic[T]):
    """A section whose keys are names that the operator chose."""

    item: Reads[T] | Value[T]
    name: Value[str] = NAME

    def read(self, at: At) -> Mapping[str, T]:
        values = {}
        for name, place in at.entries().items():
            with suppress(UnusableError):
                self._check_name(at, name)
                values[name] = _reads(self.item).read(place)
        return values

    def _check_name(self, at: At, name: str) -> None:
        node = next(node for node, _ in cast(MappingNode, at.node).value if node.value == name)
        Scalar(self.name).read(At(node, at.path, at.reading))


@dataclass(frozen=True)
class SectionOf(Generic[T]):
    """A section whose keys are the fields of a dataclass."""

    kind: type[T]

    def read(self, at: At) -> T:
        found = at.entries()
        known = [name for each in keys_of(self.kind) for name in each.names]
        for name in found.keys() - set(known):
            _report_unknown(at, name, known)
        values: dict[str, object] = {}
        for each in keys_of(self.kind):
            with suppress(UnusableError):
                values[each.name] = each.read(at, found)
        if any(each.is_required and each.name not in values for each in keys_of(self.kind)):
            raise UnusableError
        return cast(Callable[..., T], self.kind)(**values)


@dataclass(frozen=True)
class Key:
    """One field of a section, as one key of the file. A secret may also come from a file or from outside."""

    name: str
    reads: Reads[object]
    default: object
    source: "Source | None"

    @property
    def is_required(self) -> bool:
        return self.default is MISSING

    @property
    def names(self) -> Sequence[str]:
        """Return the keys of the file that set this field."""
        return (self.name, f"{self.name}_file") if self.source else (self.name,)

    def read(self, at: At, found: Mapping[str, At]) -> object:
        """Return the value, or the default where the key is not given."""
        if self.source is not None:
            return self.source.read(self, at, found)
        place = found.get(self.name)
        if place is None and self.is_required:
            At(at.node, f"{at.path}.{self.name}", at.reading).refuse("this key is missing")
        if place is None or (self.default in _UNSET and place.is_nothing()):
            return self.default
        value = self.reads.read(place)
        return _locate(value, at.reading) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Source:
    """Where a secret comes from when the file does not give it: a variable, then a systemd credential."""

    variable: str | None
    credential: str | None

    def read(self, key: Key, at: At, found: Mapping[str, At]) -> object:
        """Take the key, else the file that its twin `<key>_file` names, else the variable, else the credential."""
        place, twin = found.get(key.name), found.get(f"{key.name}_file")
        is_given = place is not None and not place.is_nothing()
        has_twin = twin is not None and not twin.is_nothing()
        if twin is not None and is_given and has_twin:
            twin.refuse(f"'{key.name}' and '{key.name}_file' are both set", "Keep one of them.")
        if place is not None and is_given:
            return key.reads.read(place)
        if twin is not None and has_twin:
            return self._from_file(key, twin)
        return self._from_outside(key, at, is_named=place is not None)

    def _from_file(self, key: Key, twin: At) -> object:
        path = _locate(Path(twin.text()[0]), twin.reading)
        return _parse(key, twin, lambda: read_secret(path))

    def _from_outside(self, key: Key, at: At, *, is_named: bool) -> object:
        environ = at.reading.environ
        place = At(at.node, f"{at.path}.{key.name}".lstrip("."), at.reading)
        # A key that the file leaves empty on purpose does not fall back to the variable.
        variable = None if is_named else self.variable
        if variable and (value := _parse(key, place, lambda: look_up(variable, environ))) is not None:
            return value
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if folder and self.credential and (path := Path(folder, self.credential)).exists():
            return _parse(key, place, lambda: read_secret(path))
        return key.default


def key(reads: Reads[T] | Value[T], default: D, *, repr: bool = True) -> T | D:
    """Declare a key with its default; null in the file stands for a default of None or of an empty collection."""
    made: Any = field(default=default, repr=repr, metadata={"reads": _reads(reads), "source": None})
    if default == {} or type(default).__hash__ is None:
        made = field(default_factory=lambda: default, repr=repr, metadata={"reads": _reads(reads), "source": None})
    return cast(T, made)


def required(reads: Reads[T] | Value[T]) -> T:
    """Declare a key that must be given wherever its section is."""
    return cast(T, field(metadata={"reads": _reads(reads), "source": None}))


def secret_key(value: Value[T], default: D, *, variable: str | None = None, credential: str | None = None) -> T | D:
    """Declare a secret key, with its twin `<key>_file`; it is never part of a repr."""
    source = Source(variable, credential)
    return cast(T, field(default=default, repr=False, metadata={"reads": Scalar(value), "source": source}))


def keys_of(section: type) -> list[Key]:
    """Return the keys of a section in the order of its fields."""
    return [
        Key(each.name, each.metadata["reads"], _default_of(each), each.metadata["source"])
        for each in fields(section)
        if each.metadata
    ]


def paths_of(section: type, prefix: str = "") -> Iterator[str]:
    """Yield every key below a section, dotted: `alerts.policies.*.steps[].after`."""
    for each in keys_of(section):
        for name in each.names:
            yield f"{prefix}{name}"
        inner, reads = f"{prefix}{each.name}", each.reads
        while isinstance(reads, ListOf | MapOf):
            inner, reads = inner + ("[]" if isinstance(reads, ListOf) else ".*"), _reads(reads.item)
        if isinstance(reads, SectionOf):
            yield from paths_of(reads.kind, f"{inner}.")


def _reads(what: Reads[T] | Value[T]) -> Reads[T]:
    return Scalar(what) if isinstance(what, Value) else what


def _default_of(each: Field[Any]) -> object:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _parse(key: Key, at: At, fetch: Callable[[], str | None]) -> object:
    value = cast(Scalar[object], key.reads).value
    try:
        text = fetch()
        return value.parse(text) if text else None
    except ValueError as error:
        reason, hint = reason_and_hint(error)
        at.refuse(f"the value is refused: {reason}", hint)


def _locate(path: Path, reading: Reading) -> Path:
    """Return an absolute path: `~/` is the home folder, anything else relative starts at the config's folder."""
    if path.parts[:1] == ("~",) and reading.environ.get("HOME"):
        return Path(reading.environ["HOME"], *path.parts[1:])
    return reading.folder / path


def _report_unknown(at: At, name: str, known: Sequence[str]) -> None:
    near = nearest(name, known)
    hint = f"Did you mean '{near}'?" if near else f"Known here: {', '.join(known)}."
    with suppress(UnusableError):
        node = next(node for node, _ in cast(MappingNode, at.node).value if node.value == name)
        At(node, at.path, at.reading).below(node, _step(name)).refuse("this key is not known", hint)


def _step(word: str) -> str:
    return f".{shown(word)[1:-1]}"


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _kind_of(node: Node) -> str:
    if isinstance(node, CollectionNode):
        return _COLLECTIONS.get(node.tag.removeprefix(_CORE), f"the tag {shown(node.tag)}")
    return f"the value {shown(node.value)}"
