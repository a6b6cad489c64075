"""Admit files that are uploaded, copied from a path or fetched from a URL, with the same checks for all."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from notifybot.errors import Forbidden, NotifybotError
from notifybot.files.fetch import Fetcher, FetchFailed
from notifybot.files.local import LocalFiles
from notifybot.files.media_types import is_image, safe_name
from notifybot.files.scan import Scanner, check_type
from notifybot.files.store import FileStore, StoredFile
from notifybot.files.upload_slots import UploadSlots
from notifybot.model.enums import MediaKind
from notifybot.posts.outcomes import Fetched, NotFetched
from notifybot.rendering.parts import Fetch, NewFile


async def unless_refused(admission: Awaitable[NewFile], kind: MediaKind, name: str) -> NewFile:
    """Return the admitted file, or one that has the refusal: whether that costs its message is decided with the text
    (schemas.to_message). Raises Forbidden, which says nothing about the file."""
    try:
        return await admission
    except Forbidden:
        raise
    except NotifybotError as refusal:
        return NewFile(kind, safe_name(name), refusal=refusal)


@dataclass(frozen=True)
class FileAdmission:
    """`types` lists the media types that the operator allows; None allows all. No scanner: files are not scanned."""

    store: FileStore
    fetcher: Fetcher
    scanner: Scanner | None
    types: tuple[str, ...] | None
    upload_slots: UploadSlots = field(default_factory=UploadSlots)
    local: LocalFiles = field(default_factory=LocalFiles)

    async def fetch(self, call: Fetch) -> Fetched | NotFetched:
        """Fetch a file that Telegram refused to fetch."""
        try:
            found = await self.fetcher.fetch(call.url)
            return Fetched(await self.admit(found.file, call.name or found.name, call.kind, must_be_image=False))
        except FetchFailed as failure:
            return NotFetched(failure.reason, failure.is_temporary)
        except NotifybotError as refusal:
            return NotFetched(refusal.detail, is_temporary=refusal.code >= 500)

    async def admit(self, stored: StoredFile, name: str, kind: MediaKind, *, must_be_image: bool = True) -> NewFile:
        """Check a stored file and choose photo or document: Telegram refuses some images as photos.

        Raises UnsupportedType, NotifybotError for a photo that is not an image, and the scanner's errors.
        """
        check_type(stored.media_type, self.types)
        if kind is MediaKind.PHOTO and must_be_image and not is_image(stored.media_type):
            raise NotifybotError(
                f"This is not an image but {stored.media_type}.", hint="Send it as a document instead."
            )
        if self.scanner is not None:
            await self.scanner.scan(self.store.path_of(stored.sha256))
        shown_as = MediaKind.PHOTO if kind is MediaKind.PHOTO and stored.fits_photo else MediaKind.DOCUMENT
        safe = safe_name(name, stored.media_type)
        return NewFile(shown_as, safe, sha256=stored.sha256, size=stored.size, media_type=stored.media_type)
