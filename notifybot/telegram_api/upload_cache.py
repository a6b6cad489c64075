"""Upload a file to Telegram once; others wait for its file_id meanwhile."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import FileId, Media, Part, Stored

MAX_FILE_IDS = 1000
WAITS_WITHIN_S = 300.0
"""Whoever waits for longer comes again: a claim lasts ten minutes, and its own upload needs two and a half of them."""
Key = tuple[str, MediaKind, str]
"""The content, how it is shown, and its name: Telegram keeps all three under one file_id."""
Waiting = Callable[[], contextlib.AbstractAsyncContextManager[None]]


class UploadBusy(Exception):
    """Others upload the same file for too long already."""


class UploadCache:
    """Who uploads what now, and what was uploaded last. The rest stands in the database (messages/attachments.py)."""

    def __init__(self) -> None:
        self._under_way: dict[Key, asyncio.Lock] = {}
        self._known: OrderedDict[Key, str] = OrderedDict()

    @contextlib.asynccontextmanager
    async def turn(self, part: Part, waiting: Waiting = contextlib.nullcontext) -> AsyncIterator[Part]:
        """Wait until nobody else uploads one of these files; give the part with what is known of them by then. Raises
        Busy. A wait lasts as long as the block of `waiting`."""
        async with contextlib.AsyncExitStack() as uploading:
            keys = sorted({key for file in part.media if (key := _key(file))} - self._known.keys())
            is_free = not any(key in self._under_way for key in keys)
            async with contextlib.nullcontext() if is_free else waiting():
                await self._begin(keys, uploading)
            if self._known.keys() >= set(keys):
                await uploading.aclose()  # there is nothing to upload any more, and nobody needs to wait for us
            yield replace(part, media=tuple(map(self._newest, part.media)))

    async def _begin(self, keys: Sequence[Key], uploading: contextlib.AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(WAITS_WITHIN_S):
                for key in keys:
                    await uploading.enter_async_context(self._lock(key))
        except TimeoutError:
            raise UploadBusy from None

    @contextlib.asynccontextmanager
    async def _lock(self, key: Key) -> AsyncIterator[None]:
        lock = self._under_way.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._under_way.pop(key, None)

    def _newest(self, file: Media) -> Media:
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
        """Telegram refused these: what was known of them may be why."""
        refused = {file.source.id for file in media if isinstance(file.source, FileId)}
        for key in [key for key, file_id in self._known.items() if file_id in refused]:
            del self._known[key]


def _key(file: Media) -> Key | None:
    return (file.source.sha256, file.kind, file.name) if isinstance(file.source, Stored) else None
