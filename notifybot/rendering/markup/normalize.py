"""Last step for all markup: trim blanks, and nest formatting by Telegram's rules."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from notifybot.rendering.markup.builder import Span, TextBuilder
from notifybot.rendering.parts import Entity
from notifybot.rendering.split import MAX_URL_BYTES

QUOTES = ("blockquote", "expandable_blockquote")
MONOSPACED = ("pre", "code")
STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
# Outermost first, for formatting of the same text.
ORDER = (*QUOTES, *MONOSPACED, "text_link", "date_time", *STYLES, "custom_emoji")

# Characters that Telegram trims. It cleans up others (control characters, direction marks) itself and adjusts the
# entities.
BLANKS = "".join(map(chr, range(0x21)))


def normalize(draft: TextBuilder) -> tuple[str, tuple[Entity, ...], tuple[Entity, ...]]:
    """Return the text and entities as Telegram would keep them, and the links that it would drop."""
    source = "".join(draft.pieces)
    kept = [span for span in _nested(sorted(draft.spans, key=_order)) if not _is_too_long(span)]
    lost = [*draft.lost, *(span for span in set(draft.spans) - set(kept) if span.type == "text_link")]
    begin, end = _trimmed(source, kept)
    text = source[begin:end]
    entities, links = (_in_units(text, sorted(_cut(spans, begin, end), key=_order)) for spans in (kept, lost))
    return text, tuple(entities), tuple(links)


def _is_too_long(span: Span) -> bool:
    """Return True for a link whose address alone is more than Telegram takes in a message."""
    return span.type == "text_link" and len((span.url or "").encode()) > MAX_URL_BYTES


def _order(span: Span) -> tuple[int, int, int]:
    return span.begin, -span.end, ORDER.index(span.type)


def _trimmed(text: str, spans: Sequence[Span]) -> tuple[int, int]:
    """Return begin and end without blanks. The start of formatted text stays, such as the indentation of code."""
    end = len(text.rstrip(BLANKS))
    first = spans[0].begin if spans else end
    return (min(len(text) - len(text.lstrip(BLANKS)), first) if end else 0), end


def _cut(spans: Iterable[Span], begin: int, end: int) -> list[Span]:
    """Cut spans to the text from `begin` to `end`, and make them relative to it."""
    cut = (replace(span, begin=max(span.begin - begin, 0), end=min(span.end, end) - begin) for span in spans)
    return [span for span in cut if span.begin < span.end]


def _nested(spans: Sequence[Span]) -> list[Span]:
    """Drop formatting that cannot be nested. `spans` are sorted and properly nested, and so is the result.

    Quotes contain no quotes; code and pre contain nothing, and styles around them resume after them; links, quotes and
    styles contain styles.
    """
    quotes = _outermost(span for span in spans if span.type in QUOTES)
    edges = sorted({edge for quote in quotes for edge in (quote.begin, quote.end)})
    others = _outermost(
        span for span in spans if span.type not in (*QUOTES, *STYLES) and not _between(edges, span.begin, span.end)
    )
    solid = [span for span in others if span.type in MONOSPACED]
    styled = [
        piece for kind in STYLES for span in _outermost(_of(kind, spans)) for piece in _pieces(span, solid, edges)
    ]
    return sorted([*quotes, *others, *styled], key=_order)


def _of(kind: str, spans: Iterable[Span]) -> Iterator[Span]:
    return (span for span in spans if span.type == kind)


def _outermost(spans: Iterable[Span]) -> list[Span]:
    """Return the outermost of the sorted `spans`."""
    outermost: list[Span] = []
    for span in spans:
        if not outermost or outermost[-1].end <= span.begin:
            outermost.append(span)
    return outermost


def _between(edges: Sequence[int], begin: int, end: int) -> Sequence[int]:
    """Return the sorted `edges` strictly between `begin` and `end`."""
    return edges[bisect_right(edges, begin) : bisect_left(edges, end)]


def _pieces(span: Span, solid: Sequence[Span], edges: Sequence[int]) -> Iterator[Span]:
    """Yield `span` outside `solid`, cut at the `edges` of quotes.

    Without cuts, a style that resumes after code could start inside a quote and end outside.
    """
    for piece in _around(span, solid):
        cuts = [piece.begin, *_between(edges, piece.begin, piece.end), piece.end]
        yield from (replace(piece, begin=begin, end=end) for begin, end in pairwise(cuts))


def _around(span: Span, solid: Sequence[Span]) -> Iterator[Span]:
    """Yield `span` outside `solid`, which is sorted and does not overlap."""
    begin = span.begin
    for place in range(bisect_right(solid, begin, key=lambda block: block.end), len(solid)):
        block = solid[place]
        if block.begin >= span.end:
            break
        if begin < block.begin:
            yield replace(span, begin=begin, end=block.begin)
        begin = block.end
    if begin < span.end:
        yield replace(span, begin=begin)


def _in_units(text: str, spans: Iterable[Span]) -> Iterator[Entity]:
    """Convert spans to entities, which count UTF-16 units."""
    units = list(accumulate((1 + (character > "\uffff") for character in text), initial=0))
    for span in spans:
        offset = units[span.begin]
        yield Entity(span.type, offset, units[span.end] - offset, url=span.url, language=span.language)
