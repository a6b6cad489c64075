"""Lay out text, status lines, buttons and files in parts that Telegram accepts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import MAX_ALBUM, MAX_ALBUM_BYTES, Buttons, Entity, Media, Part, Written
from notifybot.rendering.split import MAX_CAPTION_UNITS, MAX_ENTITIES, MAX_TEXT_UNITS, first_part, split, utf16_len
from notifybot.rendering.written_links import without_links

GAP = "\n\n"
FULL_TEXT_BELOW = "The full text is in the file below."
FULL_TEXT_NAME = "message.txt"
EXTRA_ENTITIES = 2
"""Entities reserved for the lines below a text."""


@dataclass(frozen=True)
class Footer:
    """Status lines and buttons below a text, in only one of its parts.

    `room` reserves UTF-16 units for later status lines: an edit that adds a part would notify again.
    """

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
    whole: str | None = None
    """If `text` is only the beginning, as the rest is not parsed: all of it as it was written, for the file."""
    text_first: bool = False
    files_follow: bool = False
    """Each file goes below the text, alone, so that it cannot keep the text or another file from the chat."""
    groups_shown: tuple[tuple[int, ...], ...] = ()
    """Attachment ids of the files that the chat shows already; what stands together stays together."""


def lay_out(content: Content, footer: Footer, *, max_parts: int) -> tuple[Part, ...]:
    """Return the parts in order. Text of more than `max_parts` parts goes as a file below its beginning: with its
    markup if it is so long that the rest is not parsed, else with the addresses of links.

    A single file has the text as its caption, and the rest of the text follows. Photo albums go above the text,
    documents below it. A text without buttons may be the caption of an album. Where `files_follow`, none of this holds.
    """
    if content.files_follow:
        return _files_below(content, footer, max_parts)
    if len(content.media) == 1 and not content.text_first:
        return _captioned(content, footer, max_parts)
    albums = _albums(content.media, MediaKind.PHOTO)
    documents = _albums(content.media, MediaKind.DOCUMENT)
    if not content.text and not footer.status and not footer.buttons:
        return (*albums, *documents)
    texts = _texts(content, footer, max_parts)
    if len(albums) == 1 and not documents and _may_be_caption(texts, footer):
        return (replace(texts[0], media=albums[0].media),)
    return (*albums, *texts, *documents)


def _files_below(content: Content, footer: Footer, max_parts: int) -> tuple[Part, ...]:
    photos_first = sorted(content.media, key=lambda file: file.kind is not MediaKind.PHOTO)
    left = {file.attachment_id: file for file in photos_first}
    shown = [tuple(left.pop(each) for each in group if each in left) for group in content.groups_shown]
    files = tuple(Part("", media=group) for group in (*filter(None, shown), *((file,) for file in left.values())))
    has_text = content.text or footer.status or footer.buttons
    return (*_texts(content, footer, max_parts), *files) if has_text else files


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


def _may_be_caption(texts: Sequence[Part], footer: Footer) -> bool:
    """Keep an alert's text and button apart from the album, even once the button is gone."""
    has_buttons = bool(footer.buttons or footer.room)
    return len(texts) == 1 and not has_buttons and utf16_len(texts[0].text) <= MAX_CAPTION_UNITS


def _captioned(content: Content, footer: Footer, max_parts: int) -> tuple[Part, ...]:
    parts = _cut(content, footer, max_parts, first_limit=MAX_CAPTION_UNITS)
    if parts is None:
        return (Part("", media=content.media), *_as_file(content, footer))
    first, *others = (*parts[:-1], _with_footer(parts[-1], footer))
    return (replace(first, media=content.media), *others)


def _texts(content: Content, footer: Footer, max_parts: int) -> tuple[Part, ...]:
    parts = _cut(content, footer, max_parts, first_limit=MAX_TEXT_UNITS)
    return _as_file(content, footer) if parts is None else (*parts[:-1], _with_footer(parts[-1], footer))


def _cut(content: Content, footer: Footer, max_parts: int, *, first_limit: int) -> tuple[Part, ...] | None:
    """Return the parts of the text; None if there are more than `max_parts`."""
    if content.whole is not None:
        return None
    parts = split(
        content.text,
        content.entities,
        first_limit=first_limit,
        max_entities=MAX_ENTITIES - EXTRA_ENTITIES,
        reserve_last=footer.units,
        most=max_parts,
    )
    return None if len(parts) > max_parts else parts or (Part(""),)


def _as_file(content: Content, footer: Footer) -> tuple[Part, ...]:
    room = MAX_TEXT_UNITS - utf16_len(GAP + FULL_TEXT_BELOW) - footer.units
    first = _with_line(
        first_part(content.text, content.entities, limit=room, max_entities=MAX_ENTITIES - EXTRA_ENTITIES),
        FULL_TEXT_BELOW,
    )
    whole = without_links(content.text, content.entities) if content.whole is None else content.whole
    file = Media(MediaKind.DOCUMENT, FULL_TEXT_NAME, Written(whole.encode()))
    return (_with_footer(first, footer), Part("", media=(file,)))


def _with_footer(part: Part, footer: Footer) -> Part:
    return replace(_with_line(part, footer.status), buttons=footer.buttons)


def _with_line(part: Part, line: str) -> Part:
    if not line:
        return part
    text = part.text + GAP if part.text else ""
    emphasis = Entity("italic", utf16_len(text), utf16_len(line))
    return replace(part, text=text + line, entities=(*part.entities, emphasis))
