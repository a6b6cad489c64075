"""Helpers that describe parsed text."""

from notifybot.rendering.markup import ParseMode, parse
from notifybot.rendering.parts import Entity

Shown = tuple[str, list[tuple[str, ...]]]


def shown(source: str, mode: ParseMode) -> Shown:
    """Return the text, and each entity as its type, covered text, and address or language."""
    formatted = parse(source, mode)
    return formatted.text, [_described(entity, formatted.text) for entity in formatted.entities]


def _described(entity: Entity, text: str) -> tuple[str, ...]:
    extra = (value for value in (entity.url, entity.language) if value is not None)
    return (entity.type, covered(entity, text), *extra)


def covered(entity: Entity, text: str) -> str:
    units = text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
