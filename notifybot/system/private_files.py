"""Modes of the daemon's own files: nobody but its user reads messages, attachments or secrets."""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
PASSABLE_MODE = 0o711
"""Of a folder with the socket in it: callers may pass through, but not list it."""
UMASK = 0o077
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrivateFiles:
    """Files and folders that belong to the daemon alone. `database`: SQLite's file."""

    data_dir: Path
    database: Path | None
    socket: Path

    def protect(self) -> None:
        """Take away other users' access; log what was open. Keep going where the daemon is not the owner."""
        for path, mode in self._open_to_others():
            try:
                path.chmod(mode)
            except OSError as error:
                log.warning(
                    "a private file stays open to other users",
                    extra={"action": "private_file_exposed", "file": str(path), "reason": error.strerror},
                )
            else:
                log.info(
                    "a private file was open to other users",
                    extra={"action": "private_file_closed", "file": str(path), "mode": f"{mode:04o}"},
                )

    def exposed(self) -> list[Path]:
        """Return what other users can open now."""
        return [path for path, _ in self._open_to_others()]

    def _open_to_others(self) -> Iterator[tuple[Path, int]]:
        for path, mode in self._modes():
            try:
                found = path.lstat().st_mode
            except OSError:
                continue
            if not stat.S_ISLNK(found) and stat.S_IMODE(found) & ~mode:
                yield path, mode

    def _modes(self) -> Iterator[tuple[Path, int]]:
        """Pair what may exist with the widest mode that it may have."""
        has_socket = self.data_dir in self.socket.parents
        yield self.data_dir, PASSABLE_MODE if has_socket else FOLDER_MODE
        yield self.data_dir / "attachments", FOLDER_MODE
        for name in ("secret.key", "databases", "under-way"):
            yield self.data_dir / name, FILE_MODE
        if self.database is not None:
            for suffix in ("", "-wal", "-shm", "-journal", ".lock", ".upgrade-lock", ".rescued"):
                yield self.database.with_name(self.database.name + suffix), FILE_MODE


def set_umask() -> None:
    """Create files for the daemon's user only, whatever the unit or the shell says."""
    os.umask(UMASK)
