"""A text, what stands below it and its files → the parts that carry them at Telegram."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import MAX_ALBUM, MAX_ALBUM_BYTES, Buttons, Entity, Media, Part, Written
from notifybot.rendering.split import MAX_CAPTION_UNITS, MAX_ENTITIES, MAX_TEXT_UNITS, first_part, split, utf16_len

GAP = "\n\n"
FOLLOWS = "The whole text is in the file below."
WHOLE_TEXT = "message.txt"
LINES = 2
"""So many lines below a text have an entity of their own."""


@dataclass(frozen=True)
class Footer:
    """What stands below a text, in one of its parts alone. `room`: so many UTF-16 units are kept free for what the
    status may say later, because a part that an edit adds would notify once more."""

    status: str
    buttons: Buttons
    room: int = 0

    @property
    def units(self) -> int:
        return max(utf16_len(GAP + self.status) if self.status else 0, self.room)


@dataclass(frozen=True)
class Content:
    text: str
    entities: tuple[Entity, ...]
    media: tuple[Media, ...]
    text_first: bool = False


def lay_out(content: Content, foot: Footer, *, most_parts: int) -> tuple[Part, ...]:
    """The parts, in order. A text has at most `most_parts`: a longer one goes as a file under its beginning.

    One file carries the text as its caption, and what does not fit there follows. Several photos are albums above the
    text, or below it where they are other files; a text that needs no button may be their caption.
    """
    if len(content.media) == 1 and not content.text_first:
        return _captioned(content, foot, most_parts)
    albums = _albums(content.media, MediaKind.PHOTO)
    documents = _albums(content.media, MediaKind.DOCUMENT)
    if not content.text and not foot.status and not foot.buttons:
        return (*albums, *documents)
    texts = _texts(content, foot, most_parts)
    if len(albums) == 1 and not documents and _may_be_caption(texts, foot):
        return (replace(texts[0], media=albums[0].media),)
    return (*albums, *texts, *documents)


def _albums(media: Sequence[Media], kind: MediaKind) -> tuple[Part, ...]:
    albums: list[tuple[Media, ...]] = []
    for file in media:
        if file.kind is not kind:
            continue
        if albums and _has_room(albums[-1], file):
            albums[-1] += (file,)
        else:
            albums.append((file,))
    return tuple(Part("", media=album) for album in albums)


def _has_room(album: Sequence[Media], file: Media) -> bool:
    return len(album) < MAX_ALBUM and sum(each.size for each in album) + file.size <= MAX_ALBUM_BYTES


def _may_be_caption(texts: Sequence[Part], foot: Footer) -> bool:
    """An alert keeps its text, and the button below it, apart from the album: also once the button is gone."""
    has_buttons = bool(foot.buttons or foot.room)
    return len(texts) == 1 and not has_buttons and utf16_len(texts[0].text) <= MAX_CAPTION_UNITS


def _captioned(content: Content, foot: Footer, most_parts: int) -> tuple[Part, ...]:
    parts = _cut(content, foot, first_limit=MAX_CAPTION_UNITS)
    if len(parts) > most_parts:
        return (Part("", media=content.media), *_as_file(content, foot))
    first, *others = (*parts[:-1], _with_foot(parts[-1], foot))
    return (replace(first, media=content.media), *others)


def _texts(content: Content, foot: Footer, most_parts: int) -> tuple[Part, ...]:
    parts = _cut(content, foot, first_limit=MAX_TEXT_UNITS)
    return _as_file(content, foot) if len(parts) > most_parts else (*parts[:-1], _with_foot(parts[-1], foot))


def _cut(content: Content, foot: Footer, *, first_limit: int) -> tuple[Part, ...]:
    parts = split(
        content.text,
        content.entities,
        first_limit=first_limit,
        max_entities=MAX_ENTITIES - LINES,
        reserve_last=foot.units,
    )
    return parts or (Part(""),)


def _as_file(content: Content, foot: Footer) -> tuple[Part, ...]:
    room = MAX_TEXT_UNITS - utf16_len(GAP + FOLLOWS) - foot.units
    first = _with_line(
        first_part(content.text, content.entities, limit=room, max_entities=MAX_ENTITIES - LINES), FOLLOWS
    )
    whole = Media(MediaKind.DOCUMENT, WHOLE_TEXT, Written(content.text.encode()))
    return (_with_foot(first, foot), Part("", media=(whole,)))


def _with_foot(part: Part, foot: Footer) -> Part:
    return replace(_with_line(part, foot.status), buttons=foot.buttons)


def _with_line(part: Part, line: str) -> Part:
    if not line:
        return part
    text = part.text + GAP if part.text else ""
    emphasis = Entity("italic", utf16_len(text), utf16_len(line))
    return replace(part, text=text + line, entities=(*part.entities, emphasis))
