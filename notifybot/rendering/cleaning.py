"""Clean text before it is measured: Telegram's server changes nothing that we send.

What a terminal does not show goes, line separators become newlines, tabs spaces, and characters are composed (NFC).
What Telegram would drop or replace besides goes too, see `clean_input_string` in TDLib.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from notifybot.rendering.parts import Entity, Part
from notifybot.rendering.split import utf16_len
from notifybot.rendering.terminal import ESCAPE, LINE_END, MOVING_LINE, TAB, last_state, width

_SPOILED = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u030a\u0333\u033f\u200e\u200f\u2028-\u202e\ufeff]")
# Telegram drops the ring above, and double lines above and below, unless they are composed with their letter.
_DROPPED = "\0-\x08\r\x0e-\x1f\x7f-\x9f\u030a\u0333\u033f\u202a-\u202e\ufeff"
_GONE = re.compile(rf"{ESCAPE.pattern}|[{_DROPPED}]+")
_REPEATED_MARK = re.compile("[\u200e\u200f](?=[\u200e\u200f])")
_TAB = re.compile("\t")
_BLANKS = (b" \0", b"\n\0")
"""Space and newline in UTF-16."""
_MEANS_MORE = ("pre", "code", "text_link", "date_time")
"""Formatting that keeps the spaces at its beginning."""

Entities = tuple[Entity, ...]


def clean(text: str, entities: Iterable[Entity] = ()) -> tuple[str, Entities]:
    """Return the text and its entities as Telegram keeps them."""
    entities = tuple(entities)
    if not unicodedata.is_normalized("NFC", text):
        text, entities = _composed(text, entities)
    if _SPOILED.search(text):
        text, entities = _replaced(text, entities, LINE_END, lambda _: "\n")
        text, entities = _replaced(text, entities, _GONE, lambda _: "")
        text, entities = _replaced(text, entities, _REPEATED_MARK, lambda _: "")
        text, entities = _replaced(text, entities, _TAB, _Tabs().expand)
    return text, tuple(_after_blanks(text, entities))


def replayed(text: str, entities: Iterable[Entity] = ()) -> tuple[str, Entities]:
    """Return the last state of each line after carriage returns, backspaces, and movements of the cursor in it."""
    text, moved = _replaced(text, tuple(entities), LINE_END, lambda _: "\n")
    return _replaced(text, moved, MOVING_LINE, lambda found: last_state(found[0]))


def cleaned_part(part: Part) -> Part:
    """Clean a part that was not cut from a text: without blanks at its end."""
    text, entities = clean(part.text, part.entities)
    kept = text.rstrip(" \n")
    end = utf16_len(kept)
    inside = (replace(each, length=min(each.length, end - each.offset)) for each in entities if each.offset < end)
    return replace(part, text=kept, entities=tuple(inside))


def indented(part: Part) -> Part:
    """Make the spaces at the start of a part no-break spaces: Telegram trims others, except in code."""
    rest = part.text.lstrip(" ")
    spaces = len(part.text) - len(rest)
    if not spaces or any(entity.offset == 0 and entity.type in _MEANS_MORE for entity in part.entities):
        return part
    return replace(part, text="\u00a0" * spaces + rest)


def _composed(text: str, entities: Entities) -> tuple[str, Entities]:
    """Compose characters, but not across the edges of formatting."""
    units = text.encode("utf-16-le", "surrogatepass")
    ends = (end for each in entities for end in (each.offset, each.offset + each.length))
    edges = sorted({0, len(units) // 2, *ends})
    raw = [units[2 * begin : 2 * end].decode("utf-16-le", "surrogatepass") for begin, end in pairwise(edges)]
    pieces = [unicodedata.normalize("NFC", piece) for piece in raw]
    places = dict(zip(edges, accumulate(map(utf16_len, pieces), initial=0), strict=True))
    return "".join(pieces), _moved(entities, places.__getitem__)


def _replaced(
    text: str, entities: Entities, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]
) -> tuple[str, Entities]:
    """Replace all matches, and move the entities along."""
    if not entities:
        return pattern.sub(by, text), ()
    pieces, places = list[str](), [_Place(0, 0, len(text) * 2)]
    done = old = new = 0
    for found in pattern.finditer(text):
        between, instead = text[done : found.start()], by(found)
        old, new = old + utf16_len(between), new + utf16_len(between)
        places.append(_Place(old, new, utf16_len(instead)))
        old, new = old + utf16_len(found[0]), new + utf16_len(instead)
        places.append(_Place(old, new, len(text) * 2))
        pieces += between, instead
        done = found.end()
    return "".join((*pieces, text[done:])), _moved(entities, lambda offset: _new_offset(places, offset))


@dataclass(frozen=True)
class _Place:
    """UTF-16 offset before and after a replacement, and how far what follows is the same."""

    old: int
    new: int
    same: int


def _new_offset(places: Sequence[_Place], offset: int) -> int:
    place = places[bisect_right(places, offset, key=lambda each: each.old) - 1]
    return place.new + min(offset - place.old, place.same)


def _moved(entities: Entities, new_offset: Callable[[int], int]) -> Entities:
    ends = [(each, new_offset(each.offset), new_offset(each.offset + each.length)) for each in entities]
    return tuple(replace(each, offset=begin, length=end - begin) for each, begin, end in ends if begin < end)


@dataclass
class _Tabs:
    """Tabs to spaces, from left to right: `column` is the one after the last tab, which ends at `end`."""

    end: int = 0
    column: int = 0

    def expand(self, found: re.Match[str]) -> str:
        text, tab = found.string, found.start()
        line = text.rfind("\n", self.end, tab) + 1
        column = width(text[line:tab]) if line else self.column + width(text[self.end : tab])
        spaces = TAB - column % TAB
        self.end, self.column = found.end(), column + spaces
        return " " * spaces


def _after_blanks(text: str, entities: Entities) -> Iterator[Entity]:
    """Begin formatting after spaces and newlines, and leave out what covers nothing else, as Telegram does."""
    if not entities:
        return
    units = text.encode("utf-16-le", "surrogatepass")
    solid = {entity.offset: place for place, entity in enumerate(entities) if entity.type in _MEANS_MORE}
    for place, entity in enumerate(entities):
        begin, end = entity.offset, entity.offset + entity.length
        if entity.type in _MEANS_MORE:
            yield entity
            continue
        while begin < end and units[2 * begin : 2 * begin + 2] in _BLANKS and solid.get(begin, -1) <= place:
            begin += 1
        if units[2 * begin : 2 * end].decode("utf-16-le", "surrogatepass").strip(" \n"):
            yield replace(entity, offset=begin, length=end - begin)
