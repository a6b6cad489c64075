"""Read sections of the config file into frozen dataclasses.

A dataclass is a section and each field a key: `key(...)`, `required(...)` or `secret_key(...)` gives its type and its
default. Types are built from `Value`, `ListOf`, `MapOf` and `SectionOf`. Reading continues after a problem, so that
one run reports all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from yaml.nodes import MappingNode

from notifybot.config.problems import reason_and_hint
from notifybot.config.secrets import look_up, read_secret
from notifybot.config.types import NAME, PATH, Value
from notifybot.config.yaml_nodes import At, Reading, UnusableError, step_to
from notifybot.errors import did_you_mean

T = TypeVar("T")
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)

_EMPTY: tuple[object, ...] = (None, (), {}, "", Path())
"""Defaults for which the file may say null."""


class Reads(Protocol[T_co]):
    """Type of a key: turns a place in the file into a value, or reports a problem there and raises UnusableError."""

    def read(self, at: At) -> T_co: ...


@dataclass(frozen=True)
class ListOf(Generic[T]):
    item: Reads[T]
    may_be_empty: bool = True

    def read(self, at: At) -> tuple[T, ...]:
        values = []
        for place in at.items():
            with suppress(UnusableError):
                values.append(self.item.read(place))
        if not at.items() and not self.may_be_empty:
            at.refuse("the list is empty", "Add at least one entry.")
        return tuple(values)


@dataclass(frozen=True)
class MapOf(Generic[T]):
    """A section whose keys are names that the operator chooses."""

    item: Reads[T]
    name: Value[str] = NAME

    def read(self, at: At) -> Mapping[str, T]:
        values = {}
        for name, place in at.entries().items():
            with suppress(UnusableError):
                self.name.read(_key_named(at, name))
                values[name] = self.item.read(place)
        return values


@dataclass(frozen=True)
class SectionOf(Generic[T]):
    """A section whose keys are the fields of a dataclass."""

    kind: type[T]

    def read(self, at: At) -> T:
        found, keys = at.entries(), keys_of(self.kind)
        known = [name for each in keys for name in each.names]
        for name in found.keys() - set(known):
            _report_unknown(at, name, known)
        values: dict[str, object] = {}
        for each in keys:
            with suppress(UnusableError):
                values[each.name] = each.read(at, found)
        if any(each.is_required and each.name not in values for each in keys):
            raise UnusableError
        return cast(Callable[..., T], self.kind)(**values)


@dataclass(frozen=True)
class Key:
    """A key of a section. A secret may also come from a file, a variable or a systemd credential."""

    name: str
    reads: Reads[object]
    default: object
    source: "SecretSource | None"

    @property
    def is_required(self) -> bool:
        return self.default is MISSING

    @property
    def names(self) -> Sequence[str]:
        """Return the keys in the file that set this field."""
        return (self.name, f"{self.name}_file") if self.source else (self.name,)

    def read(self, at: At, found: Mapping[str, At]) -> object:
        """Return the value, or the default if the key is absent."""
        if self.source is not None:
            return self.source.read(self, at, found)
        place = found.get(self.name)
        if place is None and self.is_required:
            at.absent(self.name).refuse("this key is required")
        if place is None and isinstance(self.reads, SectionOf) and self.default is not None:
            # The secrets of an absent section may still come from outside the file.
            place = at.absent(self.name)
        if place is None or (self.default in _EMPTY and place.is_empty()):
            return self.default
        value = self.reads.read(place)
        return _locate(value, at.reading) if isinstance(value, Path) else value


@dataclass(frozen=True)
class SecretSource:
    """Sources of a secret that the file does not set: a variable, then a systemd credential."""

    variable: str | None
    credential: str | None

    def read(self, key: Key, at: At, found: Mapping[str, At]) -> object:
        """Try the key, the file named by `<key>_file`, the variable and the credential, in this order."""
        place, file = _given(found, key.name), _given(found, f"{key.name}_file")
        if place is not None and file is not None:
            file.refuse(f"'{key.name}' and '{key.name}_file' are both set", "Keep one of them.")
        if place is not None:
            return key.reads.read(place)
        if file is not None:
            path = _locate(PATH.read(file), file.reading)
            return _parsed(key, file, f"content of {path}", lambda: read_secret(path))
        # A key that the file leaves empty on purpose does not fall back to the variable.
        return self._from_outside(key, at, variable=None if key.name in found else self.variable)

    def _from_outside(self, key: Key, at: At, *, variable: str | None) -> object:
        environ = at.reading.environ
        place = at.absent(key.name)
        if variable:
            value = _parsed(key, place, f"value of ${{{variable}}}", lambda: look_up(variable, environ))
            if value is not None:
                return value
        folder = environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder, self.credential) if folder and self.credential else None
        if path is None or _is_missing(path):
            return key.default
        return _parsed(key, place, f"content of the credential {path.name}", lambda: read_secret(path))


def key(reads: Reads[T], default: D, *, repr: bool = True) -> T | D:
    """Declare a key with its default. If the default is None or an empty collection, the file may say null."""
    return cast(T, field(default_factory=lambda: default, repr=repr, metadata={"reads": reads, "source": None}))


def required(reads: Reads[T]) -> T:
    """Declare a key that its section must set."""
    return cast(T, field(metadata={"reads": reads, "source": None}))


def secret_key(value: Value[T], default: D, *, variable: str | None = None, credential: str | None = None) -> T | D:
    """Declare a secret key and its `<key>_file`. No repr shows it."""
    source = SecretSource(variable, credential)
    return cast(T, field(default=default, repr=False, metadata={"reads": value, "source": source}))


def keys_of(section: type) -> list[Key]:
    """Return the keys of a section in the order of its fields."""
    return [
        Key(each.name, each.metadata["reads"], _default_of(each), each.metadata["source"])
        for each in fields(section)
        if each.metadata
    ]


def _default_of(each: Field[Any]) -> object:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _key_named(at: At, name: str) -> At:
    """Return the place of the key itself, not of its value."""
    node = next(node for node, _ in cast(MappingNode, at.node).value if node.value == name)
    return At(node, at.path, at.reading)


def _given(found: Mapping[str, At], name: str) -> At | None:
    place = found.get(name)
    return None if place is None or place.is_empty() else place


def _is_missing(path: Path) -> bool:
    """Return False also for a file that cannot be examined: reading it then reports the reason."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _parsed(key: Key, at: At, origin: str, fetch: Callable[[], str | None]) -> object:
    """Return a secret that comes from outside the file, or None if it is empty or unset."""
    try:
        text = fetch()
    except ValueError as error:
        at.refuse(*reason_and_hint(error))
    try:
        return cast(Value[object], key.reads).parse(text) if text else None
    except ValueError as error:
        at.refuse(f"the {origin} is invalid: {error}")


def _locate(path: Path, reading: Reading) -> Path:
    """Return an absolute path: `~/` means the home folder; other relative paths start at the config's folder."""
    if path.parts[:1] == ("~",) and reading.environ.get("HOME"):
        return Path(reading.environ["HOME"], *path.parts[1:])
    return reading.folder / path


def _report_unknown(at: At, name: str, known: Sequence[str]) -> None:
    near = did_you_mean(name, known)
    hint = f"Did you mean '{near}'?" if near else f"Known keys: {', '.join(known)}."
    with suppress(UnusableError):
        at.child(_key_named(at, name).node, step_to(name)).refuse("unknown key", hint)
