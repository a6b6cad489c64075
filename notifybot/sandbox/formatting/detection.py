"""Detect commands, links, mentions, hashtags and mail addresses, as Telegram does."""

import re

from notifybot.sandbox.values import JsonObject

_FOUND = re.compile(
    r"(?P<email>(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b)"
    r"|(?P<url>https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]])"
    r"|(?P<bot_command>(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z][A-Za-z0-9_]{2,31})?\b)"
    r"|(?P<mention>(?<!\w)@[A-Za-z][A-Za-z0-9_]{2,31}\b)"
    r"|(?P<hashtag>(?<!\w)\#\w*[^\W\d]\w*)"
)
_MARKS = re.compile(r"[/@#]")
# No detection inside these.
_OPAQUE = frozenset({"code", "pre", "text_link", "text_mention"})


def detect_entities(text: str) -> list[JsonObject]:
    """Return the entities that Telegram adds to a text; offsets and lengths in UTF-16 units."""
    if not _MARKS.search(text):
        return []
    found = []
    for match in _FOUND.finditer(text):
        offset, length = _utf16_len(text[: match.start()]), _utf16_len(match[0])
        entity: JsonObject = {"type": str(match.lastgroup), "offset": offset, "length": length}
        found.append(entity)
    return found


def merge_detected(text: str, entities: list[JsonObject]) -> list[JsonObject]:
    """Add detected entities to the given ones, but not inside code and links."""
    found = detect_entities(text)
    opaque = [given for given in entities if given["type"] in _OPAQUE]
    added = [entity for entity in found if not any(_overlap(entity, given) for given in opaque)]
    if not entities or not added:
        return entities or added
    return sorted([*entities, *added], key=lambda entity: _span(entity)[0])


def _utf16_len(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _span(entity: JsonObject) -> tuple[int, int]:
    offset, length = entity["offset"], entity["length"]
    assert isinstance(offset, int)
    assert isinstance(length, int)
    return offset, offset + length


def _overlap(one: JsonObject, other: JsonObject) -> bool:
    (start, end), (begin, stop) = _span(one), _span(other)
    return start < stop and begin < end
