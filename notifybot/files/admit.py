"""Admit files: uploaded, copied from a path, or fetched from a URL, all checked the same way."""

from dataclasses import dataclass, field

from notifybot.errors import NotifybotError
from notifybot.files.fetch import Fetcher, FetchFailed
from notifybot.files.media_types import is_image, safe_name
from notifybot.files.scan import Scanner, check_type
from notifybot.files.store import FileStore, StoredFile
from notifybot.files.upload_slots import UploadSlots
from notifybot.model.enums import MediaKind
from notifybot.posts.outcomes import Fetched, NotFetched
from notifybot.rendering.parts import Fetch, NewFile


@dataclass(frozen=True)
class FileAdmission:
    """`types`: which media types the operator allows; None is all. Without a scanner nothing is scanned."""

    store: FileStore
    fetcher: Fetcher
    scanner: Scanner | None
    types: tuple[str, ...] | None
    turns: UploadSlots = field(default_factory=UploadSlots)

    async def fetch(self, call: Fetch) -> Fetched | NotFetched:
        """Fetch what Telegram would not."""
        try:
            found = await self.fetcher.fetch(call.url)
            return Fetched(await self.admit(found.file, call.name or found.name, call.kind, must_be_image=False))
        except FetchFailed as failure:
            return NotFetched(failure.reason, failure.is_temporary)
        except NotifybotError as refusal:
            return NotFetched(refusal.detail, is_temporary=refusal.code >= 500)

    async def admit(self, stored: StoredFile, name: str, kind: MediaKind, *, must_be_image: bool = True) -> NewFile:
        """What a stored file is shown as: a picture that Telegram would not take as a photo goes as a document.

        Raises UnsupportedType, NotifybotError for a photo that is none, and what the scanner raises.
        """
        check_type(stored.media_type, self.types)
        if kind is MediaKind.PHOTO and must_be_image and not is_image(stored.media_type):
            raise NotifybotError(
                f"This is no picture but {stored.media_type}.", hint="Send it as a document, and it keeps its name."
            )
        if self.scanner is not None:
            await self.scanner.scan(self.store.path_of(stored.sha256))
        shown_as = MediaKind.PHOTO if kind is MediaKind.PHOTO and stored.fits_photo else MediaKind.DOCUMENT
        named = safe_name(name, stored.media_type)
        return NewFile(shown_as, named, sha256=stored.sha256, size=stored.size, media_type=stored.media_type)
