"""Warn about files of the daemon that other users of the machine can open."""

from collections.abc import Iterator

from notifybot.config.model import Config
from notifybot.storage.sqlite import sqlite_path
from notifybot.system.private_files import PrivateFiles


def private_files_of(config: Config) -> PrivateFiles:
    return PrivateFiles(config.data_dir, sqlite_path(config.database.url), config.socket.path)


def exposure_notes(config: Config) -> Iterator[str]:
    """Name each file whose mode is too wide; the daemon narrows them at its next start, if it may."""
    for path in private_files_of(config).exposed():
        yield f"Other users of this machine can open {path}. Run: chmod go= {path}"
