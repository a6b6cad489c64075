"""Files known to Telegram: photos with their sizes, documents with their names, each with its own ids."""

import base64
import mimetypes
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.images import Image
from notifybot.sandbox.world.spool import Content, Spool

# Telegram scales photos to these sides, and to at most LARGEST_SIDE.
PHOTO_SIDES = (90, 320, 800, 1280)
LARGEST_SIDE = 2560
# Characters that Telegram drops from file names, and the length that it keeps.
DROPPED_FROM_NAMES = re.compile(r"[\x00-\x1f\x7f<>:\"/\\|?*&`']+")
MAX_STEM_CHARACTERS = 60
MAX_EXTENSION_CHARACTERS = 20
UNKNOWN_TYPE = "application/octet-stream"
# Without the system's own type list: results must not depend on the machine.
_TYPES = mimetypes.MimeTypes()


class MediaKind(StrEnum):
    """Kind of media; one kind cannot be sent as the other."""

    PHOTO = "photo"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Ids:
    """A file's `file_id`, and its `file_unique_id` for comparisons."""

    file_id: str
    unique_id: str


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """One size of a photo, in pixels."""

    ids: Ids
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Media:
    """A file known to Telegram. A photo has `sizes`, largest last; a document has a name. All sizes share the uploaded
    bytes, because nothing is scaled. `download` is the file_path."""

    kind: MediaKind
    content: Content
    mime_type: str
    download: str
    ids: Ids
    sizes: tuple[PhotoSize, ...] = ()
    file_name: str | None = None

    def as_json(self) -> object:
        """Return Telegram's list of PhotoSize, or its Document."""
        if self.kind is MediaKind.PHOTO:
            return [self._size_json(size) for size in self.sizes]
        written = _ids_json(self.ids)
        if self.file_name:
            written["file_name"] = self.file_name
        return written | {"mime_type": self.mime_type, "file_size": self.content.size}

    def _size_json(self, size: PhotoSize) -> JsonObject:
        return _ids_json(size.ids) | {"width": size.width, "height": size.height, "file_size": self.content.size}


class Files:
    """All files of one bot, by id and by download path."""

    def __init__(self) -> None:
        self.spool = Spool()
        self._by_file_id: dict[str, Media] = {}
        self._by_unique_id: dict[str, Media] = {}
        self._by_download: dict[str, Media] = {}
        self._count = 0

    def add_photo(self, content: Content, image: Image) -> Media:
        """Add an image as a photo in all sizes."""
        sizes = tuple(PhotoSize(_new_ids(MediaKind.PHOTO), *pixels) for pixels in photo_sizes(image))
        download = self._download("photos", image.extension)
        return self._add(Media(MediaKind.PHOTO, content, image.mime_type, download, sizes[-1].ids, sizes))

    def add_document(self, content: Content, file_name: str, mime_type: str | None = None) -> Media:
        """Add a document. Its type follows from the name by default."""
        kept = clean_name(file_name)
        media_type = mime_type or _TYPES.guess_type(kept)[0] or UNKNOWN_TYPE
        download = self._download("documents", PurePosixPath(kept).suffix.removeprefix("."))
        ids = _new_ids(MediaKind.DOCUMENT)
        return self._add(Media(MediaKind.DOCUMENT, content, media_type, download, ids, file_name=kept))

    def find(self, file_id: str) -> Media | None:
        return self._by_file_id.get(file_id)

    def find_unique(self, unique_id: str) -> Media | None:
        return self._by_unique_id.get(unique_id)

    def find_download(self, path: str) -> Media | None:
        return self._by_download.get(path)

    def forget(self) -> None:
        """Invalidate all file_ids so far; messages keep their files."""
        self._by_file_id.clear()
        self._by_download.clear()

    def _add(self, media: Media) -> Media:
        for ids in (media.ids, *(size.ids for size in media.sizes)):
            self._by_file_id[ids.file_id] = self._by_unique_id[ids.unique_id] = media
        self._by_download[media.download] = media
        return media

    def _download(self, folder: str, extension: str) -> str:
        self._count += 1
        return f"{folder}/file_{self._count}" + (f".{extension}" if extension else "")


def photo_sizes(image: Image) -> list[tuple[int, int]]:
    """List width and height of each size that Telegram keeps, largest last."""
    longest = max(image.width, image.height)
    sides = [side for side in PHOTO_SIDES if side < longest] + [min(longest, LARGEST_SIDE)]
    return [_scaled(image, side / longest) for side in sides]


def clean_name(name: str) -> str:
    """Return a file's name as Telegram shows it."""
    kept = " ".join(DROPPED_FROM_NAMES.sub(" ", name.replace("\\", "/").rpartition("/")[2]).split())
    stem, dot, extension = kept.rpartition(".")
    if not dot:
        stem, extension = kept, ""
    return f"{stem[:MAX_STEM_CHARACTERS] or 'file'}{dot}{extension[:MAX_EXTENSION_CHARACTERS]}"


def _scaled(image: Image, by: float) -> tuple[int, int]:
    return max(1, round(image.width * by)), max(1, round(image.height * by))


def _new_ids(kind: MediaKind) -> Ids:
    prefix = "AgACAgIAAxkBAA" if kind is MediaKind.PHOTO else "BQACAgIAAxkBAA"
    return Ids(prefix + _random(36), "AQAD" + _random(9))


def _random(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()


def _ids_json(ids: Ids) -> JsonObject:
    return {"file_id": ids.file_id, "file_unique_id": ids.unique_id}
