"""What a post looks like at Telegram, as values: parts, entities, buttons, files, and the calls that show them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from notifybot.model.enums import MediaKind


@dataclass(frozen=True)
class Entity:
    """One span of formatting. `offset` and `length` count UTF-16 units; `type` is Telegram's name ("bold", "pre", …).

    `url` belongs to "text_link", `language` to "pre".
    """

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class PostButton:
    """One inline button; exactly one of `callback_data` (1 to 64 bytes), `url` and `copy` (1 to 256 characters) is set.

    `style` is "danger", "success", "primary" or None (as the reader's app decides).
    """

    text: str
    callback_data: str | None = None
    url: str | None = None
    copy: str | None = None
    style: str | None = None


Buttons = tuple[tuple[PostButton, ...], ...]


@dataclass(frozen=True)
class FileId:
    """A file that Telegram has, under the name that it gave it."""

    id: str


@dataclass(frozen=True)
class FileUrl:
    """A file that Telegram fetches itself."""

    url: str


@dataclass(frozen=True)
class Stored:
    """A file in our store (files/store.py)."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Written:
    """A file that is made of the message itself."""

    content: bytes


Source = FileId | FileUrl | Stored | Written


@dataclass(frozen=True)
class Media:
    """One file of a part. `attachment_id` is the row that it comes from; None where it is `Written`. `size` in bytes,
    0 where only its address is known."""

    kind: MediaKind
    name: str
    source: Source
    attachment_id: int | None = None
    size: int = 0


@dataclass(frozen=True)
class NewFile:
    """A file that a message brings: by address, or stored already (files/store.py) as `sha256`, of `size` bytes."""

    kind: MediaKind
    name: str
    url: str | None = None
    sha256: str | None = None
    size: int | None = None
    media_type: str | None = None


MAX_ALBUM = 10
MAX_ALBUM_BYTES = 45_000_000
"""Telegram's server answers 413 to a request of more than about 50 MB, and an album may be uploaded in one."""


class Substance(StrEnum):
    """What a part is made of beside its words. An edit changes words, and the text in a file, but never this."""

    NOTHING = ""
    PHOTOS = "photo"
    DOCUMENTS = "document"
    WRITTEN = "written"
    """A text that is a file because it is so long."""


@dataclass(frozen=True)
class Part:
    """What one call sends: plain text with its formatting beside it, rows of buttons below it, and up to MAX_ALBUM
    files, whose caption the text then is. Several files are an album: as many messages at Telegram, and no buttons."""

    text: str
    entities: tuple[Entity, ...] = ()
    buttons: Buttons = ()
    media: tuple[Media, ...] = ()
    link_preview: bool = False

    @property
    def substance(self) -> Substance:
        if not self.media:
            return Substance.NOTHING
        file = self.media[0]
        return Substance.WRITTEN if isinstance(file.source, Written) else Substance(file.kind.value)

    @property
    def digest(self) -> str:
        """Tells whether what stands in a chat is this part, and which files it has: `photo:7,8:5f0c…` (see `Stands`).
        What is written in a file counts, of the others only who they are: they do not change once they are shown."""
        written = [file.source for file in self.media if isinstance(file.source, Written)]
        looks = blake2b(repr((self.text, self.entities, self.buttons, written)).encode(), digest_size=6).hexdigest()
        if not self.media:
            return looks
        files = ",".join(str(file.attachment_id) for file in self.media if file.attachment_id is not None)
        return f"{self.substance}:{files}:{looks}"


@dataclass(frozen=True)
class PartDigest:
    """What a part's digest says of its files. `substance` is None where nobody knows: somebody pressed a button below
    it, and that is all that was ever seen of it."""

    substance: Substance | None
    files: tuple[int, ...] = ()
    """Their rows."""

    @staticmethod
    def of(digest: str) -> "PartDigest":
        if ":" not in digest:
            return PartDigest(Substance.NOTHING if digest else None)
        substance, files, _ = digest.split(":")
        return PartDigest(Substance(substance), tuple(map(int, filter(None, files.split(",")))))


@dataclass(frozen=True)
class Appearance:
    """How the caller of a message wants it to be shown."""

    type: str = "text"
    """text, image or document, as the request said."""
    parse_mode: str | None = None
    """One of markup.ParseMode; None is plain text."""
    priority: str = "normal"
    silent: bool = False
    thread_id: int | None = None
    link_preview: bool = False
    buttons: tuple[PostButton, ...] = ()
    text_first: bool = False
    """A single file stands below the text as well, instead of having it as its caption."""

    def stored(self) -> dict[str, Any] | None:
        """What differs from the usual, for the database; None where nothing does."""
        return {
            name: value for name, value in asdict(self).items() if value != getattr(DEFAULT_APPEARANCE, name)
        } or None

    @staticmethod
    def of(stored: Mapping[str, Any] | None) -> "Appearance":
        """Read what `stored` made."""
        if stored is None:
            return DEFAULT_APPEARANCE
        buttons = tuple(PostButton(**button) for button in stored.get("buttons", ()))
        return Appearance(**{**stored, "buttons": buttons})


DEFAULT_APPEARANCE = Appearance()


@dataclass(frozen=True)
class Send:
    """Send `part` as a new message, or as an album. `chat_id` holds digits or "@name"; `thread_id` is a forum topic."""

    chat_id: str
    part: Part
    silent: bool = False
    thread_id: int | None = None


@dataclass(frozen=True)
class Edit:
    """Make the message `message_id` show the text and the buttons of `part`, which has the same files as the message;
    buttons that it does not have go away."""

    chat_id: str
    message_id: int
    part: Part


@dataclass(frozen=True)
class Delete:
    """Take messages away that the post does not have any more."""

    chat_id: str
    message_ids: tuple[int, ...]


@dataclass(frozen=True)
class Fetch:
    """Bring a file that Telegram would not fetch into our store. `name`: as the caller named it, or empty."""

    attachment_id: int
    url: str
    kind: MediaKind
    name: str


Call = Send | Edit | Delete | Fetch


@dataclass(frozen=True)
class MissingFile:
    """A file that could not be shown: its name or address, and why."""

    name: str
    reason: str
