"""Split long text, with its formatting, into parts that Telegram accepts, each cut at the best place near the limit."""

import re
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product

from notifybot.rendering.parts import Entity, Part

MAX_TEXT_UNITS = 4096
MAX_CAPTION_UNITS = 1024
MAX_ENTITIES = 100
MAX_URL_BYTES = 9_000
"""Of all links in one message. Telegram refuses more than about 9,500 as ENTITIES_TOO_LONG."""

# Whitespace that may be dropped at a cut: all except no-break spaces.
SPACE_CHARACTERS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a"
SPACE_CHARACTERS += "\u2028\u2029\u205f\u3000"
SPACES = re.compile(f"[{SPACE_CHARACTERS}]*")
BLANK_LINES = re.compile(rf"(?:[{SPACE_CHARACTERS}]*\n)?")
_FULL_STOP = r"[.!?…。！？]"
_AFTER_SENTENCE = rf"(?:(?<={_FULL_STOP})|(?<={_FULL_STOP}[\"')\]»”’」』）]))"
# Places for a cut, best first: end of paragraph, line, sentence (Chinese and Japanese have no space there), word.
# The look-behind avoids trying a long run of whitespace from each of its positions.
BREAKS = (
    re.compile(rf"(?<![{SPACE_CHARACTERS}])[{SPACE_CHARACTERS}]*\n[{SPACE_CHARACTERS}]*\n"),
    re.compile(rf"(?<![{SPACE_CHARACTERS}])[{SPACE_CHARACTERS}]*\n"),
    re.compile(rf"{_AFTER_SENTENCE}[{SPACE_CHARACTERS}]|(?<=[。！？])(?![。！？」』）])"),
    re.compile(rf"(?<![{SPACE_CHARACTERS}])[{SPACE_CHARACTERS}]"),
)
# What Telegram makes an entity by itself: URLs, mail addresses, mentions, hashtags, commands.
FOUND = re.compile(r"https?://\S+|(?<![\w.+-])[\w.+-]{1,64}@\w+|(?<!\w)[@#/$]\w+")
FOUND_TYPE = "found"
# Telegram refuses a message without any of these characters as empty.
VISIBLE = re.compile(
    r"[^\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff"
    r"\ufffc\U000e0000-\U000e007f]"
)

ZERO_WIDTH_JOINER = "\u200d"
# Joiners, Thai and Lao vowels, voicing marks, skin tones, tags, Hangul vowels and finals.
TRAILING = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\u1160-\u11ff\ud7b0-\ud7fb]"
)
PREPENDED = re.compile(
    "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U0001193f\U00011941"
    "\U00011a3a\U00011a84-\U00011a89]"
)
HANGUL_INITIAL = re.compile("[\u1100-\u115f\ua960-\ua97c]")
HANGUL_NEXT = re.compile("[\u1100-\u115f\ua960-\ua97c\uac00-\ud7a3]")
REGIONAL_INDICATOR = re.compile("[\U0001f1e6-\U0001f1ff]")
VIRAMA = 9  # combining class of signs that join two Indic consonants


@dataclass(frozen=True)
class _Limits:
    units: int
    entities: int
    reserve_last: int
    url_bytes: int = MAX_URL_BYTES


def utf16_len(text: str) -> int:
    """Count UTF-16 units, the unit of Telegram's limits, offsets and lengths."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_prefix(text: str, units: int) -> str:
    """Return the longest prefix of at most `units` UTF-16 units that ends between grapheme clusters.

    A first cluster that is longer is cut between its code points.
    """
    end = _reach(text, 0, units)
    return text if end == len(text) else text[: _character_start(text, 0, end)]


def split(
    text: str,
    entities: Iterable[Entity] = (),
    *,
    limit: int = MAX_TEXT_UNITS,
    first_limit: int | None = None,
    max_entities: int = MAX_ENTITIES,
    reserve_last: int = 0,
    most: int | None = None,
) -> tuple[Part, ...]:
    """Cut `text` into parts of at most `limit` UTF-16 units; the last one leaves `reserve_last` units free. Of a text
    with more than `most` parts, return only the first, and one more.

    `first_limit` applies to the first part if it is a caption (MAX_CAPTION_UNITS).

    A cut falls in the last half of what fits: preferably outside formatting, then at the end of a paragraph, line,
    sentence or word. Without whitespace there, it falls at the edge of formatting, at worst inside a word, and never
    inside a grapheme cluster, unless that is longer than a part. Formatting continues in the next part. A part ends
    early rather than exceed `max_entities` or MAX_URL_BYTES; if one place has more entities, the outermost stay. In a
    text with links, those that Telegram finds by itself count too: it would drop our last ones.

    Lost: blank lines at cuts and at both ends of the text, spaces at a cut inside a line, and parts without visible
    text. The first line of a part keeps its indentation (see cleaning.indented). All else is kept in order; blank text
    has no parts. Both limits minus `reserve_last` must be at least 2. Runs in linear time.
    """
    rest = _Limits(limit, max_entities, reserve_last)
    first = rest if first_limit is None else replace(rest, units=first_limit)
    entities = _with_found(text, entities)
    parts = _up_to(most, _parts(text, entities, first, rest))
    if parts and not _is_visible(parts[-1]):  # the part that is last then must leave the room
        parts = _up_to(most, _parts(_without_invisible_end(text), entities, first, rest)) or parts
    return tuple(part for part in parts if _is_visible(part)) or parts


def _up_to(most: int | None, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Take the parts until more than `most` of them are visible."""
    taken: list[Part] = []
    visible = 0
    for part in parts:
        taken.append(part)
        visible += _is_visible(part)
        if most is not None and visible > most:
            break
    return tuple(taken)


def _with_found(text: str, entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Add what Telegram finds by itself, if it could cost a link its place."""
    ours = tuple(entities)
    if not any(entity.type == "text_link" for entity in ours):
        return ours
    found = (match.span() for match in FOUND.finditer(text))
    offsets = list(accumulate((1 + (character > "\uffff") for character in text), initial=0))
    return (*ours, *(Entity(FOUND_TYPE, offsets[begin], offsets[end] - offsets[begin]) for begin, end in found))


def _without_invisible_end(text: str) -> str:
    end = len(text)
    while end and VISIBLE.match(text[end - 1]) is None:
        end -= 1
    return text[:end]


def first_part(
    text: str, entities: Iterable[Entity] = (), *, limit: int = MAX_TEXT_UNITS, max_entities: int = MAX_ENTITIES
) -> Part:
    """Return the part of `text` that fits into `limit` UTF-16 units, cut as in `split`; "" for blank text."""
    limits = _Limits(limit, max_entities, 0)
    parts = _parts(text, _with_found(text, entities), limits, limits)
    first = next(parts, Part(""))
    return first if _is_visible(first) else next(filter(_is_visible, parts), first)


def _parts(text: str, entities: Iterable[Entity], first: _Limits, rest: _Limits) -> Iterator[Part]:
    """Yield the parts of `text`, including invisible ones. `first` applies up to the first visible part."""
    text = text.rstrip(SPACE_CHARACTERS)
    spans = _Spans(entities)
    limits = first
    start = offset = 0
    while start < len(text):
        begin = _skip_space(text, start, offset, spans.near(offset, limits.units))
        offset += begin - start  # no whitespace is a surrogate pair
        start, part = _take_part(text, begin, offset, spans.near(offset, limits.units), limits)
        offset += utf16_len(text[begin:start])
        limits = rest if _is_visible(part) else limits
        yield part


def _is_visible(part: Part) -> bool:
    return VISIBLE.search(part.text) is not None


class _Spans:
    """Entities of a text, queried at growing offsets; each is examined only while it is relevant."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._coming = deque(sorted(entities, key=lambda entity: (entity.offset, -entity.length)))
        self._begun: list[Entity] = []

    def near(self, offset: int, length: int) -> list[Entity]:
        """Return the entities in the `length` units from `offset`, outermost first. `offset` must not decrease."""
        while self._coming and self._coming[0].offset < offset + length:
            self._begun.append(self._coming.popleft())
        self._begun = [entity for entity in self._begun if _end(entity) > offset]
        return self._begun


def _skip_space(text: str, start: int, offset: int, spans: Sequence[Entity]) -> int:
    """Return the start of the next part: after blank lines; inside a line after whitespace, but not in a "pre"."""
    line = _match_end(BLANK_LINES, text, start, start + MAX_TEXT_UNITS)
    blocks = [span for span in spans if span.type == "pre"]
    if not start or line > start or any(block.offset <= offset < _end(block) for block in blocks):
        return line
    to_next_block = min((block.offset - offset for block in blocks), default=len(text))
    return _match_end(SPACES, text, start, start + to_next_block)


def _match_end(pattern: re.Pattern[str], text: str, start: int, stop: int) -> int:
    match = pattern.match(text, start, stop)
    return match.end() if match else start


def _take_part(text: str, start: int, offset: int, spans: Sequence[Entity], limits: _Limits) -> tuple[int, Part]:
    """Return the end of the part that starts at `start`, and the part."""
    end = max(_reach(text, start, _room(text, start, limits)), start + 1)
    inside = [span for span in spans if span.offset < offset + utf16_len(text[start:end])]
    surplus = _first_surplus(inside, limits)
    if surplus is not None and surplus.offset > offset:
        end = max(_reach(text, start, surplus.offset - offset), start + 1)
    if end < len(text):
        end = _best_cut(text, start, end, [(span.offset - offset, _end(span) - offset) for span in inside])
    shown = text[start:end].rstrip(SPACE_CHARACTERS)
    ours = [span for span in inside if span.type != FOUND_TYPE]
    return end, Part(shown, _clip(ours, offset, utf16_len(shown))[: limits.entities])


def _first_surplus(spans: Sequence[Entity], limits: _Limits) -> Entity | None:
    """Return the first entity that one message cannot have besides those before it."""
    url_bytes = 0
    for count, span in enumerate(spans):
        url_bytes += len((span.url or "").encode("utf-8", "surrogatepass"))
        if count >= limits.entities or url_bytes > limits.url_bytes:
            return span
    return None


def _room(text: str, start: int, limits: _Limits) -> int:
    """Return the units available to the part from `start`; fewer if it is the last one."""
    rest = utf16_len(text[start : start + limits.units + 1])
    return limits.units if rest > limits.units else limits.units - limits.reserve_last


def _reach(text: str, start: int, units: int) -> int:
    """Return the end of the longest piece from `start` of at most `units` UTF-16 units."""
    piece = text[start : start + units]
    while (surplus := utf16_len(piece) - units) > 0:
        # Each code point dropped frees one or two units.
        piece = piece[: -((surplus + 1) // 2)]
    return start + len(piece)


def _best_cut(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> int:
    """Return the best place for a cut in the last half of `text[start:end]`, else the last one between clusters.

    `spans` are (begin, end) of formatting in UTF-16 units from `start`; they may extend beyond the text.
    """
    spans = _in_code_points(text[start:end], spans)
    covered = _covered(spans, end - start)
    half = start + max((end - start) // 2, 1)
    for is_inside, pattern in product((False, True), BREAKS):
        places = [found.start() for found in pattern.finditer(text, half, min(end + 2, len(text)))]
        for place in reversed(places):
            if place <= end and covered[place - start] == is_inside and _may_cut(text, start, place):
                return place
    edges = sorted({start + edge for span in spans for edge in span if half <= start + edge <= end}, reverse=True)
    return next((edge for edge in edges if _may_cut(text, start, edge)), _character_start(text, start, end))


def _may_cut(text: str, start: int, place: int) -> bool:
    """Return True if neither a cut at `place` nor dropping the whitespace after it breaks a grapheme cluster."""
    resumed = _match_end(SPACES, text, place, len(text))
    return _is_between_characters(text, start, place) and _is_between_characters(text, start, resumed)


def _in_code_points(piece: str, spans: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Convert `spans` from UTF-16 units to code points of `piece`, clamped to its end."""
    if not spans or utf16_len(piece) == len(piece):
        return spans
    units = list(accumulate((1 + (character > "\uffff") for character in piece), initial=0))
    return [(bisect_left(units, begin), bisect_left(units, end)) for begin, end in spans]


def _covered(spans: Sequence[tuple[int, int]], length: int) -> bytearray:
    """Return a map of the positions 0 to `length`: 1 if a cut would fall inside formatting."""
    covered = bytearray(length + 1)
    for span_begin, span_end in spans:
        begin, end = max(span_begin + 1, 0), min(span_end, length + 1)
        covered[begin:end] = b"\x01" * max(end - begin, 0)
    return covered


def _clip(spans: Iterable[Entity], offset: int, length: int) -> tuple[Entity, ...]:
    """Clip `spans` to the `length` units from `offset`, and make them relative to it."""
    clipped = []
    for span in spans:
        begin, end = max(span.offset - offset, 0), min(_end(span) - offset, length)
        if begin < end:
            clipped.append(replace(span, offset=begin, length=end - begin))
    return tuple(clipped)


def _end(span: Entity) -> int:
    return span.offset + span.length


def _character_start(text: str, start: int, end: int) -> int:
    """Return the last place between grapheme clusters in `text[start:end]`, or `end` if there is none."""
    place = end
    while place > start and not _is_between_characters(text, start, place):
        place -= 1
    return place if place > start else end


def _is_between_characters(text: str, start: int, place: int) -> bool:
    """Return True if a grapheme cluster ends at `place`; one starts at `start`.

    A short form of the Unicode rules that errs on the side of holding code points together.
    """
    if place <= start or place >= len(text):
        return True
    before, after = text[place - 1], text[place]
    if before.isascii() and after.isascii():
        return before + after != "\r\n"
    if unicodedata.category(before) in ("Cc", "Zl", "Zp"):
        return True
    return not (_leans_left(after) or _holds_right(before) or _belong_together(text, start, place))


def _leans_left(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or TRAILING.match(character) is not None


def _holds_right(character: str) -> bool:
    is_joiner = character == ZERO_WIDTH_JOINER or unicodedata.combining(character) == VIRAMA
    return is_joiner or PREPENDED.match(character) is not None


def _belong_together(text: str, start: int, place: int) -> bool:
    """Return True if Hangul letters form a syllable, or regional indicators a flag, around `place`."""
    before, after = text[place - 1], text[place]
    if HANGUL_INITIAL.match(before):
        return HANGUL_NEXT.match(after) is not None
    if not REGIONAL_INDICATOR.match(before) or not REGIONAL_INDICATOR.match(after):
        return False
    first = place
    while first > start and REGIONAL_INDICATOR.match(text[first - 1]):
        first -= 1
    return (place - first) % 2 == 1
