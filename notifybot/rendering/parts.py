"""Values for what Telegram shows: parts, entities, buttons, files, and the API calls for them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from notifybot.errors import NotifybotError
from notifybot.model.enums import MediaKind


@dataclass(frozen=True)
class Entity:
    """A span of formatting. `offset` and `length` count UTF-16 units; `type` is Telegram's name ("bold", "pre", …).

    Only "text_link" has a `url`, only "pre" a `language`.
    """

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class PostButton:
    """One inline button; exactly one of `callback_data` (1 to 64 bytes), `url` and `copy` (1 to 256 characters) is set.

    `style` is "danger", "success", "primary" or None (the app's default).
    """

    text: str
    callback_data: str | None = None
    url: str | None = None
    copy: str | None = None
    style: str | None = None


Buttons = tuple[tuple[PostButton, ...], ...]


@dataclass(frozen=True)
class FileId:
    """A file that Telegram already has, by its file_id."""

    id: str


@dataclass(frozen=True)
class FileUrl:
    """A file that Telegram fetches itself."""

    url: str


@dataclass(frozen=True)
class Stored:
    """A file in the file store (files/store.py)."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Written:
    """A file generated from the message itself."""

    content: bytes


Source = FileId | FileUrl | Stored | Written


@dataclass(frozen=True)
class Media:
    """A file of a part. `attachment_id` is None for a `Written` file. `size` in bytes, 0 if only the URL is known."""

    kind: MediaKind
    name: str
    source: Source
    attachment_id: int | None = None
    size: int = 0


@dataclass(frozen=True)
class NewFile:
    """A new message's file: a URL, or a file already stored as `sha256` (files/store.py) with `size` bytes.

    With a `refusal` it is neither: the text of its message says so.
    """

    kind: MediaKind
    name: str
    url: str | None = None
    sha256: str | None = None
    size: int | None = None
    media_type: str | None = None
    refusal: NotifybotError | None = None


MAX_ALBUM = 10
MAX_ALBUM_BYTES = 45_000_000
"""Telegram returns 413 for requests above about 50 MB, and an album may be uploaded in one request."""


class Substance(StrEnum):
    """Kind of a part besides its text. An edit changes text, even in a file, but never the kind."""

    NOTHING = ""
    PHOTOS = "photo"
    DOCUMENTS = "document"
    WRITTEN = "written"
    """Text sent as a file because it is too long."""


@dataclass(frozen=True)
class Part:
    """Content of one call: text, formatting, rows of buttons, and up to MAX_ALBUM files with the text as caption.

    Several files make an album: one Telegram message for each, and no buttons.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    buttons: Buttons = ()
    media: tuple[Media, ...] = ()
    link_preview: bool = False

    @property
    def is_file_alone(self) -> bool:
        """True for files without text and buttons."""
        return bool(self.media) and not self.text and not self.buttons

    @property
    def substance(self) -> Substance:
        if not self.media:
            return Substance.NOTHING
        file = self.media[0]
        return Substance.WRITTEN if isinstance(file.source, Written) else Substance(file.kind.value)

    @property
    def digest(self) -> str:
        """Return a digest that changes with the part's appearance, like `photo:7,8:5f0c…` (see `PartDigest`).

        It covers the content of `Written` files, but only the ids of others: those never change once shown.
        """
        written = [file.source for file in self.media if isinstance(file.source, Written)]
        looks = blake2b(repr((self.text, self.entities, self.buttons, written)).encode(), digest_size=6).hexdigest()
        if not self.media:
            return looks
        files = ",".join(str(file.attachment_id) for file in self.media if file.attachment_id is not None)
        return f"{self.substance}:{files}:{looks}"


NO_CAPTION = Part("").digest


@dataclass(frozen=True)
class PartDigest:
    """The files in a part's digest. `substance` None: only a button press on the part was ever seen."""

    substance: Substance | None
    files: tuple[int, ...] = ()
    """Attachment ids."""
    has_caption: bool = False
    """The files have text or buttons of their own."""

    @staticmethod
    def parse(digest: str) -> "PartDigest":
        if ":" not in digest:
            return PartDigest(Substance.NOTHING if digest else None)
        substance, files, looks = digest.split(":")
        ids = tuple(map(int, filter(None, files.split(","))))
        return PartDigest(Substance(substance), ids, has_caption=looks != NO_CAPTION)


@dataclass(frozen=True)
class Appearance:
    """Display options that the caller set."""

    type: str = "text"
    """text, image or document, from the request."""
    parse_mode: str | None = None
    """One of markup.ParseMode; None is plain text."""
    priority: str = "normal"
    silent: bool = False
    thread_id: int | None = None
    link_preview: bool = False
    buttons: tuple[PostButton, ...] = ()
    text_first: bool = False
    """Show a single file below the text, instead of using the text as its caption."""
    past_time: str | None = None
    """When the message should have been sent, ISO 8601, if that was over when it came."""

    def stored(self) -> dict[str, Any] | None:
        """Return the values that differ from the default, for the database; None if there are none."""
        return {
            name: value for name, value in asdict(self).items() if value != getattr(DEFAULT_APPEARANCE, name)
        } or None

    @staticmethod
    def of(stored: Mapping[str, Any] | None) -> "Appearance":
        """Read the output of `stored`."""
        if stored is None:
            return DEFAULT_APPEARANCE
        buttons = tuple(PostButton(**button) for button in stored.get("buttons", ()))
        return Appearance(**{**stored, "buttons": buttons})


DEFAULT_APPEARANCE = Appearance()


@dataclass(frozen=True)
class Send:
    """Send `part` as a new message or album. `chat_id` is digits or "@name"; `thread_id` is a forum topic.

    `text_waits`: it uploads, and text is only shown with or after it. Such an upload gets less time.
    """

    chat_id: str
    part: Part
    silent: bool = False
    thread_id: int | None = None
    text_waits: bool = False


@dataclass(frozen=True)
class Edit:
    """Change the text and buttons of a message to those of `part`, which has the same files."""

    chat_id: str
    message_id: int
    part: Part


@dataclass(frozen=True)
class Delete:
    """Delete messages that are no longer part of the post."""

    chat_id: str
    message_ids: tuple[int, ...]


@dataclass(frozen=True)
class Fetch:
    """Download a file that Telegram refused to fetch. `name` is the caller's, or empty."""

    attachment_id: int
    url: str
    kind: MediaKind
    name: str


Call = Send | Edit | Delete | Fetch


@dataclass(frozen=True)
class MissingFile:
    """A file that could not be shown: its name or URL, and the reason."""

    name: str
    reason: str
