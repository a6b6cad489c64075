"""Check a config against the names in its database, from outside the daemon."""

from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot.config.model import Config
from notifybot.errors import StartRefused
from notifybot.health.lost_names import lost_names
from notifybot.health.unknown_zones import unknown_zones
from notifybot.recipients.from_config import directory_of
from notifybot.storage.database import Database
from notifybot.storage.engines import current_revision
from notifybot.storage.migrations import HEAD
from notifybot.storage.sqlite import sqlite_path


class NamesLost(StartRefused):
    """Names in the database that lead to nobody; `detail` has one line for each."""

    title = "The database names what this config does not have"


async def check_stored_names(config: Config, *, now: datetime) -> bool:
    """Raise NamesLost for names in the database that lead to nobody; return False if there is no database yet.

    The daemon may run meanwhile.
    """
    path = sqlite_path(config.database.url)
    if path is not None and not path.exists():
        return False
    if current_revision(config.database.url) != HEAD:
        raise StartRefused("The database was made by another version.", hint="Run `notifybot db upgrade` first.")
    database = Database(config.database.url)
    try:
        found = await database.read(partial(_look, config=config, now=now))
    finally:
        await database.close()
    if found:
        raise NamesLost("\n".join(found), hint="Restore the names in the config, or cancel what uses them.")
    return True


def _look(session: Session, *, config: Config, now: datetime) -> list[str]:
    zones = [zone.warning for zone in unknown_zones(session, config)]
    return [*lost_names(session, directory_of(config), now=now, limit=None), *zones]
