"""Files that the daemon needs while it runs: notice within seconds that one was removed or replaced, and remedy it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from notifybot.errors import NotifybotError

CHECK_EVERY_S = 2.0
Identity = tuple[int, int]
"""Device and inode."""
log = logging.getLogger(__name__)


def identity_of(path: Path) -> Identity | None:
    """Return which file is at this path; None if there is none, or it cannot be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass
class KeptFile:
    """A file, and what to do once it is gone or another one stands in its place.

    `remedy` makes it again and returns None, or returns a sentence that tells the operator what to do. It is called at
    every check until then. It may raise NotifybotError or OSError.
    """

    name: str
    path: Path
    remedy: Callable[[], Awaitable[str | None]]
    identity: Identity | None = None
    """What was at the path; by default what is there now."""
    is_same: Callable[[], bool] | None = None
    """By default, whether the path still has this identity."""
    trouble: str | None = None

    def __post_init__(self) -> None:
        self.identity = self.identity or identity_of(self.path)

    def _is_there(self) -> bool:
        return self.identity is not None and identity_of(self.path) == self.identity

    async def check(self) -> None:
        if await asyncio.to_thread(self.is_same or self._is_there):
            self.trouble = None
            return
        was_known = self.trouble is not None
        try:
            self.trouble = await self.remedy()
        except NotifybotError as error:
            self.trouble = f"{error.detail} {error.hint or ''}".strip()
        except OSError as error:
            self.trouble = f"{self.path} was removed and cannot be made again: {error.strerror}."
        if self.trouble is None:
            self.identity = identity_of(self.path)
        if self.trouble is None or not was_known:
            self._log()

    def _log(self) -> None:
        facts = {"action": "file_removed", "file": self.name, "path": str(self.path)}
        if self.trouble is None:
            log.warning("a file was removed or replaced; it has been made again", extra=facts)
        else:
            log.error("a file was removed or replaced", extra={**facts, "reason": self.trouble})


@dataclass
class KeptFiles:
    """All files that the daemon keeps."""

    files: list[KeptFile] = field(default_factory=list)

    @property
    def troubles(self) -> tuple[str, ...]:
        return tuple(each.trouble for each in self.files if each.trouble is not None)

    async def watch(self) -> None:
        """Check all files, forever."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await self.check()

    async def check(self) -> None:
        for each in self.files:
            await each.check()
