"""PostgreSQL connections and their settings."""

import importlib.util
import logging
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from notifybot.errors import StartRefused
from notifybot.storage import settings
from notifybot.storage.leadership import own_name

OLDEST_POSTGRESQL = 13
log = logging.getLogger(__name__)


def postgresql_engine(url: URL, *, read_only: bool) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise StartRefused(
            "PostgreSQL needs the Python package psycopg, which is not installed.",
            hint="In the checkout, run: make environment PINS=postgres. With pip: pip install '.[postgres]'.",
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        pool_size=settings.READERS if read_only else 1,
        # The server may restart while a reader is idle. The writer checks its connection itself.
        pool_pre_ping=read_only,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        _set_up_session(connection, read_only=read_only)

    return engine.execution_options(postgresql_readonly=True) if read_only else engine


# Without these, an unresponsive server would block us for as long as TCP waits: hours.
_CONNECT: dict[str, object] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "client_encoding": "utf8",
    "fallback_application_name": own_name(),
}

# The keepalives are for the server's side: without them the lock of a daemon whose machine died would stay for hours.
# Callers get their response once data is on disk, so synchronous_commit must not be `off`; stricter values stay.
_SETTINGS = """
    SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
           current_setting('fsync'),
           set_config('TimeZone', 'UTC', false),
           set_config('lock_timeout', %(locked)s, false),
           set_config('tcp_keepalives_idle', '10', false),
           set_config('tcp_keepalives_interval', '5', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


def _set_up_session(connection: Any, *, read_only: bool) -> None:
    locked = {"locked": f"{round(settings.LOCKED_WITHIN_S * 1000)}ms"}
    version, encoding, fsync, *_ = connection.execute(_SETTINGS, locked).fetchone()
    connection.commit()
    if version < OLDEST_POSTGRESQL:
        raise StartRefused(f"The server is PostgreSQL {version}; notifybot needs {OLDEST_POSTGRESQL} or newer.")
    if encoding != "UTF8":
        raise StartRefused(
            f"The encoding of the database is {encoding}, which cannot store every message.",
            hint="Create it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    if fsync == "off" and not read_only:
        log.warning("fsync is off on the server: a power cut may lose messages", extra={"action": "database"})
