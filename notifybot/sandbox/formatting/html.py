"""Parse Telegram's HTML, with Telegram's errors."""

import re
from dataclasses import dataclass, replace

from notifybot.sandbox.formatting.entities import MONOSPACED, Entity, Json, custom_emoji, date_time, link
from notifybot.sandbox.formatting.reader import Reading

STYLE_OF = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
TAGS = frozenset(STYLE_OF) | {"a", "blockquote", "code", "pre", "tg-emoji", "tg-time"}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}

PLAIN = re.compile(r"[^<]+")
BLANKS = re.compile(r"[ \t\r\n\v\0]*")
TAG_NAME = re.compile(r"[^ \t\r\n\v\0>]*")
ATTRIBUTE_NAME = re.compile(r"[^ \t\r\n\v\0=>]*")
TOKEN = re.compile(r"[A-Za-z0-9.-]*")
QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
REFERENCE = re.compile(
    r"&(?:#(?:[xX](?P<hex>[0-9a-fA-F]{1,7})|(?P<decimal>[0-9]{1,8}))(?![0-9])|(?P<name>[a-zA-Z]+));?"
)
MAX_CODE_POINT = 0x10FFFF
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Tag:
    """An open tag; `offset` UTF-16 units in `piece` pieces come before it."""

    name: str
    attributes: dict[str, str]
    offset: int
    piece: int


def read_html(source: str) -> tuple[str, list[Entity]]:
    """Return text and entities before cleaning. Raises MarkupError."""
    reading, tags = Reading(source), list[Tag]()
    while reading.next:
        if not reading.sees("<"):
            reading.write(_decoded(reading, reading.take(PLAIN)))
        elif reading.sees("</"):
            _close(reading, tags)
        else:
            tags.append(_open(reading))
    if tags:
        raise reading.refuse(f'Can\'t find end tag corresponding to start tag "{tags[-1].name}"')
    return reading.text, [_code_without_language(entity) for entity in reading.entities]


def _open(reading: Reading) -> Tag:
    begin, reading.at = reading.at, reading.at + 1
    name = reading.take(TAG_NAME).lower()
    if not reading.next:
        raise reading.refuse("Unclosed start tag", begin)
    if name not in TAGS:
        raise reading.refuse(f'Unsupported start tag "{name}"', begin)
    attributes = _attributes(reading, name, begin)
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise reading.refuse('Tag "span" must have class "tg-spoiler"', begin)
    return Tag(name, attributes, reading.units, len(reading.pieces))


def _attributes(reading: Reading, tag: str, begin: int) -> dict[str, str]:
    """Read up to and including the tag's `>`."""
    attributes: dict[str, str] = {}
    reading.take(BLANKS)
    while not reading.sees(">"):
        if not reading.next:
            raise reading.refuse(f'Unclosed start tag "{tag}"', begin)
        name = reading.take(ATTRIBUTE_NAME)
        if not name:
            raise reading.refuse(f'Empty attribute name in the tag "{tag}"', begin)
        reading.take(BLANKS)
        attributes[name] = _value(reading, tag, begin) if reading.sees("=") else ""
        reading.take(BLANKS)
    reading.at += 1
    return attributes


def _value(reading: Reading, tag: str, begin: int) -> str:
    reading.at += 1
    reading.take(BLANKS)
    if not reading.next:
        raise reading.refuse(f'Unclosed start tag "{tag}"', begin)
    if reading.next in "\"'":
        quoted = reading.take(QUOTED)
        if not quoted or not reading.next:
            raise reading.refuse("Unclosed start tag", begin)
        return _decoded(reading, quoted[1:-1])
    token_begin, token = reading.at, reading.take(TOKEN).lower()
    if not reading.next:
        raise reading.refuse("Unclosed start tag", begin)
    if reading.next not in " \t\r\n\v\0>":
        raise reading.refuse("Unexpected end of name token", token_begin)
    return token


def _close(reading: Reading, tags: list[Tag]) -> None:
    begin = reading.at
    if not tags:
        raise reading.refuse("Unexpected end tag", begin)
    reading.at += 2
    name = reading.take(TAG_NAME).lower()
    reading.take(BLANKS)
    if not reading.sees(">"):
        raise reading.refuse("Unclosed end tag", begin)
    tag = tags.pop()
    if name and name != tag.name:
        place = f"at byte offset {reading.bytes_before(begin)}"
        raise reading.refuse(f'Unmatched end tag {place}, expected "</{tag.name}>", found "</{name}>"')
    reading.at += 1
    if reading.units > tag.offset:
        _mark(reading, tag)


def _mark(reading: Reading, tag: Tag) -> None:
    match tag.name:
        case "a":
            _mark_link(reading, tag)
        case "blockquote":
            reading.mark("expandable_blockquote" if "expandable" in tag.attributes else "blockquote", tag.offset)
        case "code" | "pre":
            _mark_monospaced(reading, tag)
        case "tg-emoji":
            reading.mark("custom_emoji", tag.offset, custom_emoji(tag.attributes.get("emoji-id", "")))
        case "tg-time":
            fields = date_time(tag.attributes.get("unix", ""), tag.attributes.get("format", ""))
            reading.mark("date_time", tag.offset, fields)
        case style:
            reading.mark(STYLE_OF[style], tag.offset)


def _mark_link(reading: Reading, tag: Tag) -> None:
    """Mark a mention or link. Without a URL, the text is the URL; an invalid URL makes no link."""
    found = link(tag.attributes.get("href") or reading.written_since(tag.piece))
    if found is not None:
        reading.mark(found[0], tag.offset, found[1])


def _mark_monospaced(reading: Reading, tag: Tag) -> None:
    """Mark code or pre. Around the same text, with a language on the code, they become one pre."""
    language = _language(tag)
    inner = reading.entities[-1] if reading.entities else None
    if inner is None or inner.kind not in MONOSPACED or (inner.offset, inner.end) != (tag.offset, reading.units):
        reading.mark(tag.name, tag.offset, language)
    elif inner.kind != tag.name and (language or inner.extra):
        reading.entities[-1] = replace(inner, kind="pre", extra=language or inner.extra)
    else:
        reading.mark(tag.name, tag.offset, language)


def _language(tag: Tag) -> Json:
    name = tag.attributes.get("class", "") if tag.name == "code" else ""
    language = name.removeprefix("language-") if name.startswith("language-") else ""
    return {"language": language} if language else {}


def _code_without_language(entity: Entity) -> Entity:
    return replace(entity, extra={}) if entity.kind == "code" else entity


def _decoded(reading: Reading, text: str) -> str:
    """Replace numeric references and lt, gt, amp, quot; leave other names unchanged."""
    decoded = REFERENCE.sub(_character, text)
    if SURROGATE.search(decoded):
        raise reading.refuse(
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units"
        )
    return decoded


def _character(found: re.Match[str]) -> str:
    if found["name"]:
        return NAMED.get(found["name"], found[0])
    code = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    return chr(code) if 0 < code < MAX_CODE_POINT else found[0]
