"""Write links in the text as `label (address)`, wherever they cannot be shown as links."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from notifybot.rendering.markup.links import checked
from notifybot.rendering.markup.normalize import QUOTES
from notifybot.rendering.parts import Entity

PREFIXES_NOT_SHOWN = ("mailto:", "tel:")
NOT_ADDRESSES = ("data:", "javascript:")
"""What stands behind these is content, often very long."""

Insertion = tuple[int, str]
"""A place in UTF-16 units, and the text to insert there."""


def write_links(text: str, entities: Iterable[Entity], links: Iterable[Entity]) -> tuple[str, tuple[Entity, ...]]:
    """Insert the address of each of `links` after its label, and move `entities` accordingly.

    A label that is its own address stays as it is.
    """
    links = tuple(links)
    units = text.encode("utf-16-le", "surrogatepass") if links else b""
    insertions = sorted((_end(link), f" ({address})") for link in links if (address := _to_write(units, link)))
    if not insertions:
        return text, tuple(entities)
    places = [place for place, _ in insertions]
    added = list(accumulate((_length(text) for _, text in insertions), initial=0))
    return _inserted(units, insertions), tuple(_moved(entity, places, added) for entity in entities)


def without_links(text: str, entities: Sequence[Entity]) -> str:
    """Return plain text that has the address of each link."""
    return write_links(text, (), [entity for entity in entities if entity.type == "text_link"])[0]


def _to_write(units: bytes, link: Entity) -> str:
    """Return the address as it is written after the label; "" if it should not be."""
    address = link.url or ""
    if address.lower().startswith(NOT_ADDRESSES):
        return ""
    for prefix in PREFIXES_NOT_SHOWN:
        address = address.removeprefix(prefix)
    label = units[2 * link.offset : 2 * _end(link)].decode("utf-16-le", "surrogatepass").strip()
    return "" if label == address or checked(label) in (address, checked(address) or address) else address


def _inserted(units: bytes, insertions: Sequence[Insertion]) -> str:
    places = [0, *(2 * place for place, _ in insertions), len(units)]
    pieces = [units[begin:end].decode("utf-16-le", "surrogatepass") for begin, end in pairwise(places)]
    return "".join(piece + added for piece, (_, added) in zip(pieces, [*insertions, (0, "")], strict=True))


def _moved(entity: Entity, places: Sequence[int], added: Sequence[int]) -> Entity:
    """Move an entity by what is `added` up to each of the `places`. An address after the last word of a quote belongs
    to the quote; it is not styled like the word."""
    before = added[bisect_right(places, entity.offset)]
    up_to_end = added[bisect_left(places, _end(entity) + (entity.type in QUOTES))]
    return replace(entity, offset=entity.offset + before, length=entity.length + up_to_end - before)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _end(entity: Entity) -> int:
    return entity.offset + entity.length
