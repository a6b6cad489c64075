"""Bring a database to the schema of this version, under a lock, before anything else touches it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from notifybot.errors import StartRefused
from notifybot.storage.engines import current_revision, migrating, revision_in
from notifybot.storage.sqlite import sqlite_path

HEAD = "0001"
"""The newest revision below versions/; kept here because importing Alembic costs most of a second."""


def upgrade(url: str) -> str:
    """Migrate the database at `url` to HEAD; say in one sentence what was done.

    Raises StartRefused when a newer version of notifybot has migrated it already.
    """
    with _upgrade_lock(url):
        if current_revision(url) == HEAD:
            return f"The database is at revision {HEAD} already."
        with migrating(url) as connection:
            before = revision_in(connection)
            if before == HEAD:  # on PostgreSQL another process may have been first
                return f"The database was brought to revision {HEAD} by another process."
            _run(connection, before)
    return f"The database was brought from {before or 'nothing'} to revision {HEAD}."


def _run(connection: Connection, before: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if before is not None and before not in known:
        raise StartRefused(
            f"The database has revision {before}, which this version of notifybot does not know.",
            hint="Start the newer version that wrote it, or restore a backup from before the upgrade.",
        )
    settings.attributes["connection"] = connection
    command.upgrade(settings, HEAD)


@contextlib.contextmanager
def _upgrade_lock(url: str) -> Iterator[None]:
    path = sqlite_path(url)
    if path is None:
        # There the migration's own transaction takes an advisory lock.
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with path.with_name(path.name + ".upgrade-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
