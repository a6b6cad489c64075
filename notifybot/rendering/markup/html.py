"""Parse Telegram's HTML: a few tags, properly nested, with < > & escaped as &lt; &gt; &amp;."""

import re
from dataclasses import dataclass, replace

from notifybot.rendering.markup.builder import Place, Room, TextBuilder, Unparseable, where
from notifybot.rendering.markup.links import is_date_format, is_emoji_id, is_time, link

STYLES = {
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
TAGS = frozenset({*STYLES, "a", "blockquote", "code", "pre", "tg-emoji", "tg-time"})
ATTRIBUTES = frozenset({"class", "emoji-id", "expandable", "format", "href", "unix"})

BLANK = r"[ \t\r\n\v\0]"
PLAIN = re.compile(r"[^<]+")
START_TAG = re.compile(r"<([^ \t\r\n\v\0>]*)")
END_TAG = re.compile(rf"</([^ \t\r\n\v\0>]*){BLANK}*>")
ATTRIBUTE = re.compile(
    rf"{BLANK}*(?P<name>[^ \t\r\n\v\0=>/\"']+){BLANK}*"
    rf"(?:={BLANK}*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<token>[A-Za-z0-9.-]*)(?=[ \t\r\n\v\0>])))?"
)
END_OF_START_TAG = re.compile(rf"{BLANK}*>")
REFERENCE = re.compile(r"&(?:(?P<name>lt|gt|amp|quot)(?![A-Za-z])|#x(?P<hex>[0-9A-Fa-f]+)|#(?P<decimal>[0-9]+));?")
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
MAX_REFERENCE = 9
LAST_CODE = 0x10FFFF
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class _Tag:
    """An open tag: its position in the source, and the output before it."""

    name: str
    attributes: dict[str, str]
    at: int
    place: Place


def read_html(source: str, room: Room) -> TextBuilder:
    """Parse without `normalize`. Raises Unparseable for unknown or badly nested tags."""
    draft, tags, at = TextBuilder(room), list[_Tag](), 0
    while at < len(source) and not draft.is_full:
        if found := PLAIN.match(source, at):
            draft.write(_decoded(found[0], source, at))
            at = found.end()
        elif source.startswith("</", at):
            at = _close(source, at, tags, draft)
        else:
            at = _open(source, at, tags, draft)
    if draft.is_full:
        _end_unfinished(source, tags, draft)
    elif tags:
        raise Unparseable(f"The tag <{tags[-1].name}> at {where(source, tags[-1].at)} is not closed.")
    draft.spans = [replace(span, language=None) if span.type == "code" else span for span in draft.spans]
    return draft


def _end_unfinished(source: str, tags: list[_Tag], draft: TextBuilder) -> None:
    """Format what is open as far as it goes; a link needs its address for that."""
    while tags:
        tag = tags.pop()
        if draft.length > tag.place.length and (tag.name != "a" or tag.attributes.get("href")):
            _mark(source, tag, draft)


def _open(source: str, begin: int, tags: list[_Tag], draft: TextBuilder) -> int:
    """Read a start tag; return the position after it."""
    found = START_TAG.match(source, begin)
    name = found[1].lower() if found else ""
    if found is None or name not in TAGS:
        raise Unparseable(
            f"Telegram does not support the tag <{name[:40]}> at {where(source, begin)}; write a literal < as &lt;."
        )
    attributes, at = _attributes(source, found.end(), begin)
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise Unparseable(f'The tag <span> at {where(source, begin)} needs class="tg-spoiler".')
    tags.append(_Tag(name, attributes, begin, draft.begin()))
    return at


def _attributes(source: str, at: int, begin: int) -> tuple[dict[str, str], int]:
    """Return the attributes of the tag at `begin` (empty if without value), and its end."""
    attributes: dict[str, str] = {}
    while not (end := END_OF_START_TAG.match(source, at)):
        found = ATTRIBUTE.match(source, at)
        if found is None or found.end() == len(source):
            raise Unparseable(f"The tag at {where(source, begin)} is malformed or is not closed.")
        at = found.end()
        value = found["double"] or found["single"]
        value = _decoded(value, source, at) if value else (found["token"] or "").lower()
        if found["name"] in ATTRIBUTES:
            attributes[found["name"]] = value
    return attributes, end.end()


def _close(source: str, begin: int, tags: list[_Tag], draft: TextBuilder) -> int:
    """Read an end tag; return the position after it. `</>` closes the innermost tag."""
    found = END_TAG.match(source, begin)
    if found is None:
        raise Unparseable(f"The end tag at {where(source, begin)} is not closed.")
    name = found[1].lower()
    if not tags:
        raise Unparseable(f"The end tag </{name[:40]}> at {where(source, begin)} has no matching start tag.")
    tag = tags.pop()
    if name not in ("", tag.name):
        raise Unparseable(f"</{name[:40]}> at {where(source, begin)} should be </{tag.name}>.")
    if draft.length > tag.place.length:
        _mark(source, tag, draft)
    return found.end()


def _mark(source: str, tag: _Tag, draft: TextBuilder) -> None:
    begin = tag.place.length
    match tag.name:
        case "a":
            link(draft, begin, tag.attributes.get("href") or draft.address_since(tag.place))
        case "blockquote":
            draft.mark("expandable_blockquote" if "expandable" in tag.attributes else "blockquote", begin)
        case "code" | "pre":
            _mark_monospaced(tag, draft)
        case "tg-emoji":
            _mark_emoji(source, tag, draft)
        case "tg-time":
            _mark_time(source, tag, draft)
        case style:
            draft.mark(STYLES[style], begin)


def _mark_monospaced(tag: _Tag, draft: TextBuilder) -> None:
    """Mark code or pre. Around the same text, with a language on the code, they become one pre."""
    name = tag.attributes.get("class", "") if tag.name == "code" else ""
    language = name.removeprefix("language-") if name.startswith("language-") else ""
    last = draft.spans[-1] if draft.spans else None
    if last and last.type in ("code", "pre") and (last.begin, last.end) == (tag.place.length, draft.length):
        known = language or last.language
        if last.type != tag.name and known:
            draft.spans[-1] = replace(last, type="pre", language=known)
            return
    draft.mark(tag.name, tag.place.length, language=language or None)


def _mark_emoji(source: str, tag: _Tag, draft: TextBuilder) -> None:
    emoji_id = tag.attributes.get("emoji-id", "")
    if not is_emoji_id(emoji_id):
        raise Unparseable(f"The tag <tg-emoji> at {where(source, tag.at)} has no valid emoji-id.")
    draft.mark("custom_emoji", tag.place.length, url=f"tg://emoji?id={emoji_id}")


def _mark_time(source: str, tag: _Tag, draft: TextBuilder) -> None:
    moment, form = tag.attributes.get("unix", ""), tag.attributes.get("format", "")
    if not is_date_format(form):
        raise Unparseable(f"The tag <tg-time> at {where(source, tag.at)} has no valid format.")
    if is_time(moment):
        draft.mark("date_time", tag.place.length, url=f"tg://time?unix={moment}&format={form}")


def _decoded(text: str, source: str, at: int) -> str:
    """Replace the character references that Telegram supports; leave others unchanged."""
    if "&" not in text:
        return text
    decoded = REFERENCE.sub(_character, text)
    if SURROGATE.search(decoded):
        raise Unparseable(f"A character reference near {where(source, at)} is a lone surrogate (&#xD800; to &#xDFFF;).")
    return decoded


def _character(found: re.Match[str]) -> str:
    if found["name"]:
        return NAMED[found["name"]]
    reference = found[0].removesuffix(";")
    if len(reference) > MAX_REFERENCE:
        return found[0]
    code = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    return chr(code) if 0 < code < LAST_CODE else found[0]
