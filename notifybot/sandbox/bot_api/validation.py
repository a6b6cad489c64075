"""Check a call against Telegram's methods, parameters and types, and convert text to values.

Stricter than Telegram in two ways, to catch typing errors: unknown parameters and fields are refused, and a value of
the wrong type is never silently replaced by a default.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from notifybot.sandbox.bot_api.wire import ApiError, Params, bad_request
from notifybot.sandbox.values import JsonObject

# Telegram's errors for missing parameters.
_MISSING = {
    "chat_id": "chat_id is empty",
    "text": "message text is empty",
    "commands": "commands are empty",
    "photo": "there is no photo in the request",
    "document": "there is no document in the request",
}
# Telegram's names for parameters with invalid JSON.
_JSON_NAMES = {
    "reply_markup": "reply keyboard markup",
    "reply_parameters": "reply parameters",
    "link_preview_options": "link preview options",
    "commands": "commands",
    "scope": "BotCommandScope",
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGER = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """A parameter or field: its types, in Telegram's names, and if it is required."""

    types: tuple[str, ...]
    is_required: bool


Signatures = Mapping[str, Signature]


@dataclass(frozen=True)
class Table:
    """All methods by lower-case name (Telegram ignores case), and all types that parameters can contain."""

    names: Mapping[str, str]
    methods: Mapping[str, Signatures]
    types: Mapping[str, Signatures]
    subtypes: Mapping[str, list[str]]


class _Mismatch(Exception):
    """A value has the wrong type; the text says what was expected."""


@cache
def table() -> Table:
    """Load the shipped table of methods and types."""
    loaded = json.loads(files("notifybot.sandbox").joinpath("methods.json").read_text("utf-8"))
    methods = {name: _signatures(entry) for name, entry in loaded["methods"].items()}
    types = {name: _signatures(entry) for name, entry in loaded["types"].items()}
    return Table({name.lower(): name for name in methods}, methods, types, loaded["subtypes"])


def known_method(name: str) -> str:
    """Return a method's name in Telegram's spelling; raise Telegram's 404."""
    known = table().names.get(name.lower())
    if known is None:
        raise ApiError(404, "Not Found")
    return known


def check(method: str, given: Mapping[str, object]) -> Params:
    """Check and convert the parameters of a call: form text becomes numbers, booleans and objects."""
    signatures = table().methods[method]
    values: JsonObject = {}
    for name, value in given.items():
        signature = signatures.get(name)
        if signature is None:
            raise bad_request(f'{method} has no parameter "{name}"')
        if value is not None and not (value == "" and "String" not in signature.types):
            values[name] = _read_parameter(name, value, signature.types)
    for name, signature in signatures.items():
        if signature.is_required and name not in values:
            raise bad_request(_MISSING.get(name, f'parameter "{name}" is required'))
    return Params(values)


def _signatures(entry: Mapping[str, dict[str, object]]) -> Signatures:
    return {name: _signature(field) for name, field in entry.items()}


def _signature(field: dict[str, object]) -> Signature:
    types = field["types"]
    assert isinstance(types, list)
    return Signature(tuple(str(kind) for kind in types), field["required"] is True)


def _read_parameter(name: str, value: object, types: tuple[str, ...]) -> object:
    try:
        return _read(_decoded(name, value, types), types)
    except _Mismatch as error:
        raise bad_request(f'parameter "{name}" {error}') from error


def _decoded(name: str, value: object, types: tuple[str, ...]) -> object:
    """Convert form text to the expected type; objects and lists are JSON."""
    if not isinstance(value, str):
        return str(value) if types == ("String",) and isinstance(value, int) and not isinstance(value, bool) else value
    if "Integer" in types and _INTEGER.fullmatch(value):
        return int(value)
    if "Boolean" in types and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    if "Float" in types:
        return _float(value)
    if "String" in types or "Integer" in types or "Boolean" in types or "InputFile" in types:
        return value
    try:
        decoded: object = json.loads(value)
    except ValueError as error:
        raise bad_request(f"can't parse {_JSON_NAMES.get(name, name)} JSON object") from error
    return decoded


def _float(value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise _Mismatch("must be of type Float") from error


def _read(value: object, types: tuple[str, ...]) -> object:
    """Return the value if it has one of the types, checked at every depth; else raise _Mismatch."""
    named = [kind for kind in types if kind in table().types and kind != "InputFile"]
    if named and isinstance(value, dict):
        return _read_object(value, named)
    inner = tuple(kind.removeprefix("Array of ") for kind in types if kind.startswith("Array of "))
    if inner and isinstance(value, list):
        return [_read(item, inner) for item in value]
    if any(_is_scalar(value, kind) for kind in types):
        return value
    raise _Mismatch(f"must be of type {' or '.join(types)}")


def _is_scalar(value: object, kind: str) -> bool:
    match kind:
        case "Integer":
            return isinstance(value, int) and not isinstance(value, bool)
        # A plain button of a reply keyboard may be just its text.
        case "String" | "KeyboardButton":
            return isinstance(value, str) and _is_utf8(value)
        case "Boolean" | "True":
            return isinstance(value, bool)
        case "Float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "InputFile":
            return value is not None and not isinstance(value, bool | int | float | list | dict)
        case _:
            return False


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error
    return True


def _read_object(value: dict[str, object], kinds: list[str]) -> JsonObject:
    """Check an object against the first type that fits."""
    candidates = _of_its_type(value, [kind for outer in kinds for kind in table().subtypes.get(outer, [outer])])
    for kind in candidates:
        fields = table().types[kind]
        if all(name in value or not signature.is_required for name, signature in fields.items()):
            if unknown := value.keys() - fields.keys():
                if kind != candidates[-1]:
                    continue
                raise _Mismatch(f'has an unknown field "{min(unknown)}" in {kind}')
            given = {name: item for name, item in value.items() if item is not None}
            return {name: _read_field(kind, name, item, fields[name].types) for name, item in given.items()}
    raise _Mismatch(f"lacks a required field of {' or '.join(candidates)}")


def _of_its_type(value: dict[str, object], candidates: list[str]) -> list[str]:
    """Return the candidate that matches the object's `type` ("photo" for InputMediaPhoto), else all."""
    words = value.get("type")
    if not isinstance(words, str) or len(candidates) == 1:
        return candidates
    ending = "".join(word.capitalize() for word in words.split("_"))
    # Take the shortest: InputMediaLivePhoto ends with Photo too.
    named = sorted((candidate for candidate in candidates if candidate.endswith(ending)), key=len)
    return named[:1] or candidates


def _read_field(kind: str, name: str, value: object, types: tuple[str, ...]) -> object:
    try:
        return _read(value, types)
    except _Mismatch as error:
        raise _Mismatch(f'has a field "{name}" of {kind} that {error}') from error
