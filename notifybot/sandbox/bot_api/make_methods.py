"""Generate methods.json, the Bot API's names, types and required flags, from a machine-readable description.

Usage: python notifybot/sandbox/bot_api/make_methods.py API.json > notifybot/sandbox/methods.json

API.json maps `methods` and `types` to objects whose `fields` are lists of {name, types, required, …} and whose
`subtypes` name its variants. Descriptions are not copied.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

TYPE_NAME = re.compile(r"[A-Z]\w+")
PLAIN = frozenset({"Integer", "String", "Boolean", "Float", "Array"})


class Field(TypedDict):
    """A parameter, or a field of a type, in the source."""

    name: str
    types: list[str]
    required: bool


class Entry(TypedDict, total=False):
    """A method or type in the source."""

    fields: list[Field]
    subtypes: list[str]


class Signature(TypedDict):
    """A parameter or field in the table."""

    types: list[str]
    required: bool


def main() -> None:
    source = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    methods: dict[str, Entry] = source["methods"]
    types = {name: entry for name, entry in source["types"].items() if name in _needed(methods, source["types"])}
    table = {
        "version": source["version"],
        "methods": {name: _signatures(entry) for name, entry in sorted(methods.items())},
        "types": {name: _signatures(entry) for name, entry in sorted(types.items())},
        "subtypes": {name: entry["subtypes"] for name, entry in sorted(types.items()) if "subtypes" in entry},
    }
    print(_one_line_an_entry(table))


def _signatures(entry: Entry) -> dict[str, Signature]:
    fields = entry.get("fields", [])
    return {field["name"]: {"types": field["types"], "required": field["required"]} for field in fields}


def _needed(methods: dict[str, Entry], types: dict[str, Entry]) -> set[str]:
    """Return the types that a parameter can contain, at any depth."""
    needed: set[str] = set()
    waiting = {name for entry in methods.values() for name in _named_in(entry)}
    while waiting:
        needed |= waiting
        waiting = {name for known in waiting if known in types for name in _named_in(types[known])} - needed
    return needed


def _named_in(entry: Entry) -> Iterable[str]:
    yield from entry.get("subtypes", [])
    for field in entry.get("fields", []):
        for described in field["types"]:
            yield from set(TYPE_NAME.findall(described)) - PLAIN


def _one_line_an_entry(table: dict[str, object]) -> str:
    """Write JSON with one method or type on each line, for readable diffs between API versions."""
    sections = [f" {json.dumps(key)}: {_section(value)}" for key, value in table.items()]
    return "{\n" + ",\n".join(sections) + "\n}"


def _section(value: object) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()) + "\n }"


if __name__ == "__main__":
    main()
