"""Turn a parse mode's markup, or a list of entities, into a message's text and entities."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from notifybot.sandbox.formatting.entities import (
    LINKED,
    MONOSPACED,
    QUOTES,
    STYLES,
    Entity,
    Json,
    MarkupError,
    checked_link,
    custom_emoji,
    date_time,
    mentioned_user,
    tidy,
    utf16_len,
)
from notifybot.sandbox.formatting.html import read_html
from notifybot.sandbox.formatting.markdown import read_markdown
from notifybot.sandbox.formatting.markdown_v2 import read_markdown_v2

__all__ = ["MarkupError", "checked_link", "cleaned", "parse", "utf16_len", "validate_entities"]

READERS: dict[str, Callable[[str], tuple[str, list[Entity]]]] = {
    "html": read_html,
    "markdown": read_markdown,
    "markdownv2": read_markdown_v2,
}
SENT_KINDS = frozenset({*QUOTES, *MONOSPACED, *LINKED, *STYLES, "custom_emoji"})
# Telegram detects these itself and ignores them from bots.
FOUND_KINDS = frozenset({"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"})
JSON_TYPES: dict[type, str] = {str: "String", int: "Number", dict: "Object"}
MAX_OFFSET = 1_000_000

Value = TypeVar("Value")


def parse(text: str, parse_mode: str) -> tuple[str, list[Json]]:
    """Parse `text` as HTML, Markdown or MarkdownV2 (any case) into plain text and entities.

    The result is cleaned and trimmed, and may be empty. Raises MarkupError.
    """
    _check_unicode(text)
    reader = READERS.get(parse_mode.lower())
    if reader is None:
        raise MarkupError("unsupported parse_mode")
    plain, entities = tidy(*reader(text))
    return plain, [entity.as_json() for entity in entities]


def cleaned(text: str, entities: Sequence[object] = ()) -> tuple[str, list[Json]]:
    """Return plain text and its entities as Telegram stores them; may be empty. Raises MarkupError."""
    plain, kept = tidy(text, _checked(text, entities))
    return plain, [entity.as_json() for entity in kept]


def validate_entities(text: str, entities: Sequence[object]) -> list[Json]:
    """Return the entities that Telegram would keep, without overlaps, at most 100; offsets refer to `cleaned` text.

    Raises MarkupError.
    """
    return cleaned(text, entities)[1]


def _checked(text: str, entities: Sequence[object]) -> list[Entity]:
    _check_unicode(text)
    checked = [_entity(entry) for entry in entities]
    edges = _edges(text)
    for entity in checked:
        _check_bounds(entity, edges, utf16_len(text))
    return [entity for entity in checked if entity.kind in SENT_KINDS]


def _check_unicode(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise MarkupError("strings must be encoded in UTF-8")


def _edges(text: str) -> set[int]:
    """Return the UTF-16 offsets of all characters, and of the end."""
    edges, at = {0}, 0
    for character in text:
        at += 2 if character > "\uffff" else 1
        edges.add(at)
    return edges


def _check_bounds(entity: Entity, edges: set[int], units: int) -> None:
    if not 0 <= entity.offset <= MAX_OFFSET:
        raise MarkupError(f"receive an entity with incorrect offset {entity.offset}")
    if not 0 <= entity.length <= MAX_OFFSET:
        raise MarkupError(f"receive an entity with incorrect length {entity.length}")
    begins = f"entity beginning at UTF-16 offset {entity.offset}"
    if entity.offset > units:
        raise MarkupError(f"entity begins after the end of the text at UTF-16 offset {entity.offset}")
    if entity.end > units:
        raise MarkupError(f"{begins} ends after the end of the text at UTF-16 offset {entity.end}")
    if entity.offset not in edges:
        raise MarkupError(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {entity.offset}")
    if entity.end not in edges:
        raise MarkupError(f"{begins} ends in a middle of a UTF-16 symbol at UTF-16 offset {entity.end}")


def _entity(entry: object) -> Entity:
    if not isinstance(entry, dict):
        raise MarkupError("can't parse MessageEntity: MessageEntity must be an Object")
    kind = _field(entry, "type", str)
    if kind not in SENT_KINDS and kind not in FOUND_KINDS:
        raise MarkupError(f'can\'t parse MessageEntity: unknown type "{kind}"')
    extra = _extra(kind, entry)
    kind = "text_mention" if "user" in extra else kind
    return Entity(kind, _field(entry, "offset", int), _field(entry, "length", int), extra)


def _extra(kind: str, entry: Json) -> Json:
    """Copy the extra fields of this kind; ignore others, as Telegram does."""
    match kind:
        case "text_link":
            return _link(_field(entry, "url", str))
        case "text_mention":
            return {"user": _user(_field(entry, "user", dict))}
        case "custom_emoji":
            return custom_emoji(_field(entry, "custom_emoji_id", str))
        case "date_time":
            return date_time(str(_field(entry, "unix_time", int)), str(entry.get("date_time_format") or ""))
        case "pre" if entry.get("language"):
            return {"language": _field(entry, "language", str)}
    return {}


def _link(url: str) -> Json:
    """Return the fields of a link; a link to a person is a mention."""
    if (user := mentioned_user(url)) is not None:
        return {"user": {"id": user}}
    checked = checked_link(url)
    if checked is None:
        raise MarkupError(f"entity URL '{url}' is invalid: Wrong HTTP URL")
    return {"url": checked}


def _user(user: Json) -> Json:
    return {"id": _field(user, "id", int)}


def _field(entry: Json, name: str, wanted: type[Value]) -> Value:
    value = entry.get(name)
    if value is None:
        raise MarkupError(f"can't parse MessageEntity: Can't find field \"{name}\"")
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise MarkupError(f'can\'t parse MessageEntity: Field "{name}" must be of type {JSON_TYPES[wanted]}')
    return value
