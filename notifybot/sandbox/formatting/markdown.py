"""Parse Telegram's legacy Markdown: no nesting, and no escapes inside entities."""

import re

from notifybot.sandbox.formatting.entities import Entity, link
from notifybot.sandbox.formatting.reader import Reading

ENDS = {"_": "_", "*": "*", "`": "`", "[": "]", "```": "```"}
KINDS = {"_": "italic", "*": "bold", "`": "code", "```": "pre"}

PLAIN = re.compile(r"[^\\_*`\[]+")
ESCAPE = re.compile(r"\\[_*`\[]")
LANGUAGE = re.compile(r"[^ \t\r\n\v\0`]+(?=[ \t\r\n\v\0])")
NEWLINE = re.compile(r"\n\r?|\r\n?")
ADDRESS = re.compile(r"\(([^)]*)\)")


def read_markdown(source: str) -> tuple[str, list[Entity]]:
    """Return text and entities before cleaning. Raises MarkupError."""
    reading = Reading(source)
    while reading.next:
        if literal := reading.take(PLAIN) or reading.take(ESCAPE)[1:]:
            reading.write(literal)
        elif reading.sees("\\"):
            reading.write("\\")
            reading.at += 1
        else:
            _read_entity(reading)
    return reading.text, reading.entities


def _read_entity(reading: Reading) -> None:
    begin, offset = reading.at, reading.units
    mark = "```" if reading.sees("```") else reading.next
    reading.at += len(mark)
    language = _language(reading) if mark == "```" else ""
    end = reading.source.find(ENDS[mark], reading.at)
    if end < 0:
        raise reading.refuse("Can't find end of the entity starting", begin)
    shown = reading.source[reading.at : end]
    reading.at = end + len(ENDS[mark])
    reading.write(shown)
    if mark == "[" and shown:
        _end_link(reading, shown, offset)
    elif mark != "[":
        reading.mark(KINDS[mark], offset, {"language": language} if language else {})


def _language(reading: Reading) -> str:
    language = reading.take(LANGUAGE)
    reading.take(NEWLINE)
    return language


def _end_link(reading: Reading, shown: str, offset: int) -> None:
    address = reading.take(ADDRESS)
    found = link(address[1:-1] if address else shown)
    if found is not None:
        reading.mark(found[0], offset, found[1])
