"""Notice that SQLite's file was removed or replaced: whatever is written to the open one is lost at the next start."""

import contextlib
import logging
import math
import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection

from notifybot.errors import StartRefused, Unavailable
from notifybot.system.kept_files import Identity, identity_of

RESCUED = ".rescued"
RESCUE_EVERY_S = 10.0
log = logging.getLogger(__name__)


class FileReplaced(Exception):
    """The open database is not the one at its path."""


class SameFile:
    """The database file, and its write-ahead log, as they were opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(path.name + "-wal")
        self.identity: Identity | None = None
        self._log_identity: Identity | None = None
        self._advice: str | None = None
        self._rescued_at = -math.inf

    def pin(self) -> None:
        """Remember which files are there, after a commit. The database is pinned once, its log at each connection."""
        self.identity = self.identity or identity_of(self.path)
        self._log_identity = self._log_identity or identity_of(self._log)

    def unpin_log(self) -> None:
        """Forget the log: it may be another one after the connection was closed."""
        self._log_identity = None

    def is_same(self) -> bool:
        is_same = self.identity is None or identity_of(self.path) == self.identity
        return is_same and (self._log_identity is None or identity_of(self._log) == self._log_identity)

    def check(self) -> None:
        """Raise FileReplaced if these are not the files that were opened."""
        if not self.is_same():
            raise FileReplaced(f"{self.path} was removed or replaced")

    def rescue(self, connection: Connection | None) -> None:
        """Copy the open database to a file beside it, unless that was done, or tried within RESCUE_EVERY_S.

        `connection` was opened before the file was removed.
        """
        if time.monotonic() - self._rescued_at < RESCUE_EVERY_S or (self._advice and _rescued(self.path).exists()):
            return
        self._rescued_at = time.monotonic()
        lost = f"{self.path} was removed or replaced. Nothing is accepted or sent until it is back."
        try:
            copy = self._copy(connection)
        except (OSError, sqlite3.Error) as error:
            log.error("the database cannot be rescued", exc_info=error, extra={"action": "rescue_failed"})
            self._advice = f"{lost} It cannot be copied ({error}): restore a backup, and restart notifybot."
        else:
            self._advice = (
                f"{lost} A copy of everything up to then is {copy}: stop notifybot, `mv {copy} {self.path}`, and start"
                " it again."
            )

    def advice(self) -> str | None:
        """Return what the operator should do, once `rescue` has run."""
        return self._advice

    def _copy(self, connection: Connection | None) -> Path:
        if connection is None:
            raise OSError("notifybot has lost its connection")
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rescued = _rescued(self.path)
        draft = rescued.with_name(rescued.name + ".new")
        draft.unlink(missing_ok=True)
        draft.touch(0o600)
        with contextlib.closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        return draft.replace(rescued)


def refuse_to_forget(path: Path) -> None:
    """Raise StartRefused if the database is missing, but a rescued copy of it exists."""
    rescued = _rescued(path)
    if rescued.exists() and not path.exists():
        raise StartRefused(
            f"The database {path} is missing, but {rescued} has its contents.",
            hint=f"mv {rescued} {path}, or remove it to start with an empty database.",
        )


def file_replaced(error: FileReplaced) -> Unavailable:
    refusal = Unavailable(
        "The database file was removed or replaced while notifybot was running; nothing was accepted.",
        hint="The operator has to put it back; `notifybot health` says how.",
    )
    refusal.__cause__ = error
    return refusal


def _rescued(path: Path) -> Path:
    return path.with_name(path.name + RESCUED)
