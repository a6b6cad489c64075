"""Migrations: bring a database to the schema of this version, under a lock."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from notifybot.errors import StartRefused
from notifybot.storage.engines import current_revision, migrating, revision_in
from notifybot.storage.sqlite import sqlite_path

HEAD = "0001"
"""Newest revision in versions/. Repeated here, since importing Alembic takes most of a second."""


def upgrade(url: str) -> str:
    """Migrate the database at `url` to HEAD; return one sentence about the result.

    Raises StartRefused if a newer version of notifybot migrated it.
    """
    with _upgrade_lock(url):
        if current_revision(url) == HEAD:
            return f"The database is already at revision {HEAD}."
        with migrating(url) as connection:
            before = revision_in(connection)
            if before == HEAD:  # on PostgreSQL another process may have been first
                return f"Another process migrated the database to revision {HEAD}."
            _run(connection, before)
    if before is None:
        return f"The empty database is now at revision {HEAD}."
    return f"Migrated the database from revision {before} to {HEAD}."


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
        yield  # on PostgreSQL the migration's transaction takes an advisory lock
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(path.name + ".upgrade-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
