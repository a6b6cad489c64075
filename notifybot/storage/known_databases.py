"""Databases that this daemon has filled before: one that is suddenly empty is a mistake, not a fresh start."""

import contextlib
import os
from pathlib import Path

from notifybot.errors import StartRefused
from notifybot.storage.engines import current_revision, without_secrets

FILE = "databases"
"""In data_dir: one URL a line, without passwords."""


def refuse_emptied(folder: Path, url: str) -> None:
    """Raise StartRefused if the database is empty, and was not at an earlier start: its disk may not be mounted."""
    known = without_secrets(url) in _known(folder)
    if known and current_revision(url) is None:
        raise StartRefused(
            f"The database {without_secrets(url)} is empty, but it had tables at an earlier start.",
            hint="Mount its disk or restore a backup. To begin with an empty one, remove its line from "
            f"{folder / FILE}.",
        )


def remember(folder: Path, url: str) -> None:
    """Note that the database has been used. A folder that cannot be written is reported by others."""
    line = without_secrets(url)
    if line in _known(folder):
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _known(folder: Path) -> list[str]:
    try:
        return (folder / FILE).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
