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

from yaml.nodes import MappingNode, ScalarNode

from notifybot.config.problems import reason_and_hint, shown
from notifybot.config.secrets import look_up, read_secret, variables_in
from notifybot.config.types import NAME, PATH, Value, YamlKind
from notifybot.config.yaml_nodes import At, Reading, UnusableError, step_to
from notifybot.errors import did_you_mean

T = TypeVar("T")
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)

_UNSET: tuple[object, ...] = (None, (), {}, "", Path())
"""Defaults for which null may stand in the file."""


class Reads(Protocol[T_co]):
    """Something that makes a value of a place in the file, or reports it there and raises UnusableError."""

    def read(self, at: At) -> T_co: ...


@dataclass(frozen=True)
class Scalar(Generic[T]):
    """A single value."""

    value: Value[T]

    def read(self, at: At) -> T:
        text, kind = at.text()
        if kind is YamlKind.NOTHING:
            at.refuse(f"needs {self.value.name}, but nothing stands here", "Give a value, or leave the key out.")
        if kind is not None and kind not in self.value.kinds:
            self._refuse_kind(at, text, kind)
        try:
            return self.value.parse(text)
        except ValueError as error:
            raw = cast(ScalarNode, at.node).value
            what = _origin(raw) if self.value.is_secret else shown(raw)
            reason, hint = reason_and_hint(error)
            at.refuse(f"{what} is refused: {reason}", hint)

    def _refuse_kind(self, at: At, text: str, kind: YamlKind) -> NoReturn:
        if self.value.is_secret:
            at.refuse(f"needs {self.value.name}, and YAML reads this as {kind}", "Put it in quotes.")
        if YamlKind.TEXT in self.value.kinds and self._accepts(text):
            at.refuse(f"YAML reads {shown(text)} as {kind}", f'Put it in quotes: "{shown(text)[1:-1]}".')
        hint = "Write it without quotes." if cast(ScalarNode, at.node).style in ("'", '"') else None
        at.refuse(f"needs {self.value.name}, not {shown(text)}", hint)

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
    source: "SecretSource | None"

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
            at.absent(self.name).refuse("this key is missing")
        if place is None and isinstance(self.reads, SectionOf) and self.default is not None:
            # A section that is left out still has secrets, which may come from outside of the file.
            place = at.absent(self.name)
        if place is None or (self.default in _UNSET and place.is_nothing()):
            return self.default
        value = self.reads.read(place)
        return _locate(value, at.reading) if isinstance(value, Path) else value


@dataclass(frozen=True)
class SecretSource:
    """Where a secret comes from when the file does not give it: a variable, then a systemd credential."""

    variable: str | None
    credential: str | None

    def read(self, key: Key, at: At, found: Mapping[str, At]) -> object:
        """Take the key, else the file that its twin `<key>_file` names, else the variable, else the credential."""
        place, twin = _given(found, key.name), _given(found, f"{key.name}_file")
        if place is not None and twin is not None:
            twin.refuse(f"'{key.name}' and '{key.name}_file' are both set", "Keep one of them.")
        if place is not None:
            return key.reads.read(place)
        if twin is not None:
            path = _locate(Scalar(PATH).read(twin), twin.reading)
            return _fetched(key, twin, str(path), lambda: read_secret(path))
        # A key that the file leaves empty on purpose does not fall back to the variable.
        return self._from_outside(key, at, variable=None if key.name in found else self.variable)

    def _from_outside(self, key: Key, at: At, *, variable: str | None) -> object:
        environ = at.reading.environ
        place = at.absent(key.name)
        if variable and (value := _fetched(key, place, f"${{{variable}}}", lambda: look_up(variable, environ))):
            return value
        folder = environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder, self.credential) if folder and self.credential else None
        if path is None or _is_missing(path):
            return key.default
        return _fetched(key, place, f"the credential {path.name}", lambda: read_secret(path))


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
    source = SecretSource(variable, credential)
    return cast(T, field(default=default, repr=False, metadata={"reads": Scalar(value), "source": source}))


def keys_of(section: type) -> list[Key]:
    """Return the keys of a section in the order of its fields."""
    return [
        Key(each.name, each.metadata["reads"], _default_of(each), each.metadata["source"])
        for each in fields(section)
        if each.metadata
    ]


def paths_of(section: type, prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key below a section with its dotted path, like `alerts.policies.*.steps[].after`."""
    for each in keys_of(section):
        yield from ((f"{prefix}{name}", each) for name in each.names)
        inner, reads = f"{prefix}{each.name}", each.reads
        while isinstance(reads, ListOf | MapOf):
            inner, reads = inner + ("[]" if isinstance(reads, ListOf) else ".*"), _reads(reads.item)
        if isinstance(reads, SectionOf):
            yield from paths_of(reads.kind, f"{inner}.")


def _reads(what: Reads[T] | Value[T]) -> Reads[T]:
    return Scalar(what) if isinstance(what, Value) else what


def _default_of(each: Field[Any]) -> object:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _given(found: Mapping[str, At], name: str) -> At | None:
    place = found.get(name)
    return None if place is None or place.is_nothing() else place


def _is_missing(path: Path) -> bool:
    """Say whether there is no such file; one that cannot be looked at is there, and reading it says why it cannot."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _fetched(key: Key, at: At, origin: str, fetch: Callable[[], str | None]) -> object:
    """Return the value of a secret's text from outside of the file, None where there is none."""
    value = cast(Scalar[object], key.reads).value
    try:
        text = fetch()
    except ValueError as error:
        at.refuse(*reason_and_hint(error))
    try:
        return value.parse(text) if text else None
    except ValueError as error:
        at.refuse(f"what {origin} holds is refused: {error}")


def _origin(raw: str) -> str:
    """Say where a secret in the file comes from, without showing it."""
    names = variables_in(raw)
    return f"what ${{{names[0]}}} holds" if names else "the value"


def _locate(path: Path, reading: Reading) -> Path:
    """Return an absolute path: `~/` is the home folder, anything else relative starts at the config's folder."""
    if path.parts[:1] == ("~",) and reading.environ.get("HOME"):
        return Path(reading.environ["HOME"], *path.parts[1:])
    return reading.folder / path


def _report_unknown(at: At, name: str, known: Sequence[str]) -> None:
    near = did_you_mean(name, known)
    hint = f"Did you mean '{near}'?" if near else f"Known here: {', '.join(known)}."
    with suppress(UnusableError):
        node = next(node for node, _ in cast(MappingNode, at.node).value if node.value == name)
        At(node, at.path, at.reading).below(node, step_to(name)).refuse("this key is not known", hint)
