"""Upload a file to Telegram once; concurrent sends wait for its file_id."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import FileId, Media, Part, Stored

MAX_FILE_IDS = 1000
MAX_WAIT_S = 300.0
"""After this a send is retried later: a claim lasts ten minutes, and its own upload may take two and a half."""
MAX_TEXT_WAIT_S = 20.0
"""The same for a send that shows text: without the file, it can be there at once."""
Key = tuple[str, MediaKind, str]
"""Content, kind and name: Telegram keeps all three under one file_id."""
Waiting = Callable[[], contextlib.AbstractAsyncContextManager[None]]


class UploadBusy(Exception):
    """Another upload of the same file takes too long."""


class UploadCache:
    """Uploads in progress and the latest file ids. Older ones are in the database (messages/attachments.py)."""

    def __init__(self) -> None:
        self._uploading: dict[Key, asyncio.Lock] = {}
        self._known: OrderedDict[Key, str] = OrderedDict()

    @contextlib.asynccontextmanager
    async def upload_slot(
        self, part: Part, waiting: Waiting = contextlib.nullcontext, *, text_waits: bool = False
    ) -> AsyncIterator[Part]:
        """Wait until nobody else is uploading one of these files; yield the part with the file ids known by then.

        A wait happens inside `waiting`. Raises UploadBusy.
        """
        async with contextlib.AsyncExitStack() as uploading:
            keys = sorted({key for file in part.media if (key := _key(file))} - self._known.keys())
            is_free = not any(key in self._uploading for key in keys)
            async with contextlib.nullcontext() if is_free else waiting():
                await self._begin(
                    keys, uploading, within_s=min(MAX_WAIT_S, MAX_TEXT_WAIT_S) if text_waits else MAX_WAIT_S
                )
            if self._known.keys() >= set(keys):
                await uploading.aclose()  # nothing is left to upload, so nobody needs to wait for us
            yield replace(part, media=tuple(map(self._with_file_id, part.media)))

    async def _begin(self, keys: Sequence[Key], uploading: contextlib.AsyncExitStack, *, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                for key in keys:
                    await uploading.enter_async_context(self._lock(key))
        except TimeoutError:
            raise UploadBusy from None

    @contextlib.asynccontextmanager
    async def _lock(self, key: Key) -> AsyncIterator[None]:
        lock = self._uploading.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._uploading.pop(key, None)

    def _with_file_id(self, file: Media) -> Media:
        key = _key(file)
        return replace(file, source=FileId(self._known[key])) if key and key in self._known else file

    def remember(self, media: Sequence[Media], file_ids: Sequence[str]) -> None:
        for file, file_id in zip(media, file_ids, strict=False):
            if key := _key(file):
                self._known[key] = file_id
                self._known.move_to_end(key)
        while len(self._known) > MAX_FILE_IDS:
            self._known.popitem(last=False)

    def forget(self, media: Sequence[Media]) -> None:
        """Forget the file ids of refused files: they may be the reason."""
        refused = {file.source.id for file in media if isinstance(file.source, FileId)}
        for key in [key for key, file_id in self._known.items() if file_id in refused]:
            del self._known[key]


def _key(file: Media) -> Key | None:
    return (file.source.sha256, file.kind, file.name) if isinstance(file.source, Stored) else None
