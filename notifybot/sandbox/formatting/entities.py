"""Normalize entities as Telegram does: UTF-16 offsets, nesting, cleaned and trimmed text, checked links."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from itertools import accumulate, pairwise
from urllib.parse import parse_qs, urlsplit

Json = dict[str, object]

MAX_ENTITIES = 100

# Outermost first, for entities that cover the same text.
QUOTES = ("blockquote", "expandable_blockquote")
MONOSPACED = ("pre", "code")
LINKED = ("text_link", "text_mention", "date_time")
STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
ORDER = (*QUOTES, *MONOSPACED, *LINKED, *STYLES, "custom_emoji")
UNSPLIT = (*MONOSPACED, *LINKED, "custom_emoji")

NAME_SIGN = r"(?:[\w.!$,~*'();&+=\x80-\U0010ffff-]|%[0-9a-fA-F]{2})"
# A URL without a scheme is a web URL; there, mailto: and tel: would be user names.
WEB_LINK = re.compile(
    rf"(?!(?:mailto|tel):)(?:(?P<scheme>https?)://)?(?:(?P<user>(?:{NAME_SIGN}|:)*)@)?"
    rf"(?P<host>\[[0-9a-f:.]+\]|{NAME_SIGN}+)(?::(?P<port>[0-9]{{1,9}}))?(?P<rest>[/?#].*)?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
OWN_LINK = re.compile(
    r"(?P<scheme>tg|ton|tonsite):(?://)?(?P<host>[\w-]+|(?<=tonsite://)[\w.-]+)(?P<rest>[/?#].*)?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
DATE_TIME_FORMAT = re.compile(r"r|w?[dD]?[tT]?")
# What the server does to every text: TDLib's clean_input_string (td/telegram/misc.cpp).
REMOVED = re.compile("[\r\u2028-\u202e\u030a\u0333\u033f]")
REPLACED = re.compile("[\x00-\x09\x0b-\x1f]")
BLANK = re.compile("[ \n]")
REPEATED_MARKS = re.compile("[\u200e\u200f](?=[\u200e\u200f])")
EMPTY = re.compile("[ \n\u00a0\u1680\u180e\u2000-\u200f\u202f\u205f\u2800\u3000\ufeff\ufffc\U000e0000-\U000e007f]*")
HIDDEN = (*MONOSPACED, *LINKED)
"""Entities that may begin with blanks, or cover nothing else, as they carry more than their text."""


class MarkupError(ValueError):
    """Telegram refuses this text; the message is Telegram's description without "Bad Request: "."""


@dataclass(frozen=True)
class Entity:
    """An entity; `offset` and `length` in UTF-16 units, `extra` with other fields (url, language, user, …)."""

    kind: str
    offset: int
    length: int
    extra: Json = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.offset + self.length

    def as_json(self) -> Json:
        return {"type": self.kind, "offset": self.offset, "length": self.length, **self.extra}


def utf16_len(text: str) -> int:
    """Count UTF-16 units, Telegram's unit for lengths and offsets."""
    return len(text) + sum(character > "\uffff" for character in text)


def tidy(text: str, entities: Iterable[Entity]) -> tuple[str, list[Entity]]:
    """Return text and entities as Telegram would store them: cleaned, trimmed, nested, at most 100."""
    text, kept = _clean(text, nested([entity for entity in entities if entity.length > 0]))
    text, kept = _trim(text, nested(list(_without_blanks(text, kept))))
    return text, sorted(kept, key=_order)[:MAX_ENTITIES]


def is_empty(text: str) -> bool:
    """Return True for a text that Telegram refuses as empty."""
    return EMPTY.fullmatch(text) is not None


def nested(entities: Sequence[Entity]) -> list[Entity]:
    """Resolve overlaps: split styles at the edges of others; of other entities, keep the first.

    Quotes do not nest, code and pre contain nothing, links and mentions contain only styles.
    """
    quotes = _apart(entity for entity in entities if entity.kind in QUOTES)
    edges = _edges(quotes)
    others = _apart(e for e in entities if e.kind in UNSPLIT and not _between(edges, e.offset, e.end))
    return sorted([*quotes, *others, *_styles(entities, quotes, others)], key=_order)


def checked_link(url: str) -> str | None:
    """Return `url` as Telegram stores it (with scheme, host in lower case), or None if it is no link there."""
    own, web = OWN_LINK.fullmatch(url), WEB_LINK.fullmatch(url)
    if own:
        rest = _rest(own["rest"])
        return f"{own['scheme']}://{own['host']}".lower() + (rest[1:] if rest.startswith("/?") else rest)
    if web is None or not _is_host(web["host"]):
        return None
    if int(web["port"] or 1) not in range(1, 65_536):
        return None
    user, port = f"{web['user']}@" if web["user"] else "", f":{int(web['port'])}" if web["port"] else ""
    return f"{(web['scheme'] or 'http').lower()}://{user}{web['host'].lower()}{port}{_rest(web['rest'])}"


def mentioned_user(url: str) -> int | None:
    """Return the id in a tg://user?id=… link."""
    found = _tg_query(url, "user")
    text = found.get("id", "") if found is not None else ""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else None


def link(url: str) -> tuple[str, Json] | None:
    """Return kind and fields of the entity for a link in markup, or None."""
    if (user := mentioned_user(url)) is not None:
        return "text_mention", {"user": {"id": user}}
    checked = checked_link(url)
    return None if checked is None else ("text_link", {"url": checked})


def tg_link(url: str) -> tuple[str, Json]:
    """Return kind and fields of the entity for an `![…](…)` link. Raises MarkupError."""
    if not url.lower().startswith("tg:"):
        raise MarkupError("can't parse entities: Custom emoji URL must have scheme tg")
    if (query := _tg_query(url, "time")) is not None:
        return "date_time", date_time(query.get("unix", ""), query.get("format", ""))
    query = _tg_query(url, "emoji")
    if query is None:
        raise MarkupError('can\'t parse entities: Custom emoji URL must have host "emoji"')
    if "id" not in query:
        raise MarkupError("can't parse entities: Custom emoji URL must have an emoji identifier")
    return "custom_emoji", custom_emoji(query["id"])


def custom_emoji(identifier: str) -> Json:
    if not re.fullmatch(r"[1-9][0-9]{0,18}", identifier):
        raise MarkupError("can't parse entities: Invalid custom emoji identifier specified")
    return {"custom_emoji_id": identifier}


def date_time(unix: str, form: str) -> Json:
    if not re.fullmatch(r"[1-9][0-9]{0,9}", unix):
        raise MarkupError("can't parse entities: Invalid Unix time specified")
    if not DATE_TIME_FORMAT.fullmatch(form):
        raise MarkupError("can't parse entities: Invalid date-time format specified")
    return {"unix_time": int(unix), **({"date_time_format": form} if form else {})}


def _order(entity: Entity) -> tuple[int, int, int]:
    return entity.offset, -entity.length, ORDER.index(entity.kind)


def _apart(entities: Iterable[Entity]) -> list[Entity]:
    """Keep the first of overlapping entities."""
    apart: list[Entity] = []
    for entity in sorted(entities, key=_order):
        if not apart or apart[-1].end <= entity.offset:
            apart.append(entity)
    return apart


def _edges(entities: Iterable[Entity]) -> list[int]:
    return sorted({edge for entity in entities for edge in (entity.offset, entity.end)})


def _between(edges: list[int], start: int, end: int) -> list[int]:
    """Return the sorted `edges` strictly between `start` and `end`."""
    return edges[bisect_right(edges, start) : bisect_left(edges, end)]


def _styles(entities: Sequence[Entity], quotes: Sequence[Entity], others: Sequence[Entity]) -> Iterator[Entity]:
    """Yield styles: joined if adjacent, removed from monospaced text, and split for proper nesting."""
    mono = [entity for entity in others if entity.kind in MONOSPACED]
    cuts = _edges([*quotes, *(entity for entity in others if entity.kind != "custom_emoji")])
    for kind in STYLES:
        ranges = _joined((e.offset, e.end) for e in entities if e.kind == kind)
        pieces = [piece for start, end in ranges for piece in _split(start, end, cuts)]
        styled = [Entity(kind, start, end - start) for start, end in pieces if not _covers(mono, start)]
        cuts = sorted({*cuts, *_edges(styled)})
        yield from styled


def _covers(mono: Sequence[Entity], at: int) -> bool:
    """Return True if one of `mono`, sorted without overlaps, covers the offset `at`."""
    place = bisect_right(mono, at, key=lambda entity: entity.offset) - 1
    return place >= 0 and at < mono[place].end


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _split(start: int, end: int, cuts: list[int]) -> list[tuple[int, int]]:
    return list(pairwise([start, *_between(cuts, start, end), end]))


def _clean(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Drop what REMOVED lists, replace control characters with spaces, defuse repeated marks, and adjust offsets."""
    dropped = _places(REMOVED, text) if entities else []
    if dropped:
        entities = [_without(entity, dropped) for entity in entities]
    text = REPEATED_MARKS.sub("\u200c", REPLACED.sub(" ", REMOVED.sub("", text)))
    return text, [entity for entity in entities if entity.length > 0]


def _without_blanks(text: str, entities: Sequence[Entity]) -> Iterator[Entity]:
    """Begin entities after spaces and newlines, and drop those that cover nothing else (remove_invalid_entities)."""
    blank = frozenset(_places(BLANK, text)) if entities else frozenset()
    hidden = {entity.offset: place for place, entity in enumerate(entities) if entity.kind in HIDDEN}
    for place, entity in enumerate(entities):
        start = entity.offset
        while entity.kind not in HIDDEN and start < entity.end and start in blank and hidden.get(start, -1) <= place:
            start += 1
        if entity.kind in HIDDEN or not blank.issuperset(range(start, entity.end)):
            yield replace(entity, offset=start, length=entity.end - start)


def _places(pattern: re.Pattern[str], text: str) -> list[int]:
    """Return the UTF-16 offsets of all matches, which are single characters of one unit."""
    ends = accumulate(2 if character > "\uffff" else 1 for character in text)
    return [end - 1 for end, character in zip(ends, text, strict=True) if pattern.match(character)]


def _without(entity: Entity, dropped: list[int]) -> Entity:
    before, up_to_end = bisect_left(dropped, entity.offset), bisect_left(dropped, entity.end)
    return replace(entity, offset=entity.offset - before, length=entity.length - (up_to_end - before))


def _trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trim spaces and newlines, at the start only up to the first of the sorted entities."""
    kept = text.rstrip(" \n")
    blanks = len(kept) - len(kept.lstrip(" \n"))
    begin = min([blanks, *(entity.offset for entity in entities[:1])])
    end = utf16_len(kept)
    cut = [(entity, entity.offset, min(entity.end, end)) for entity in entities]
    return kept[begin:], [
        replace(e, offset=start - begin, length=stop - start) for e, start, stop in cut if start < stop
    ]


def _is_host(host: str) -> bool:
    """Return True for a host name with a dot, or an IPv6 address in brackets."""
    if not host.startswith("["):
        return "." in host and host != "."
    try:
        return bool(IPv6Address(host[1:-1]))
    except ValueError:
        return False


def _rest(rest: str | None) -> str:
    """Return path, query and fragment, percent-encoded, with a leading slash."""
    kept = (rest or "/").rstrip(" \t\r\n\v\0")
    return ("" if kept.startswith("/") else "/") + re.sub("[\0- ]", lambda found: f"%{ord(found[0]):02X}", kept)


def _tg_query(url: str, host: str) -> dict[str, str] | None:
    """Return the query of tg://HOST?… or tg:HOST?…; None for other links."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme != "tg" or (parts.netloc or parts.path).strip("/").lower() != host:
        return None
    return {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
