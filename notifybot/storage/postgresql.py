"""PostgreSQL connections and their settings."""

import importlib.util
import logging
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from notifybot.errors import StartRefused
from notifybot.storage.leadership import own_name
from notifybot.storage.settings import LOCKED_WITHIN_S, READERS

OLDEST_POSTGRESQL = 13
log = logging.getLogger(__name__)


def postgresql_engine(url: URL, *, read_only: bool) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise StartRefused(
            "PostgreSQL needs the Python package psycopg, which is not installed.",
            hint="In a checkout: make environment PINS=postgres. Elsewhere: pip install 'notifybot[postgres]'.",
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        pool_size=READERS if read_only else 1,
        # A reader may lie idle while the server restarts; the writer's connection is looked after by its holder.
        pool_pre_ping=read_only,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        _set_up_session(connection, read_only=read_only)

    return engine.execution_options(postgresql_readonly=True) if read_only else engine


# A server that does not answer must not hold us up for the hours that TCP would wait.
_CONNECT: dict[str, object] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "client_encoding": "utf8",
    "fallback_application_name": own_name(),
}

# The same for the server's side of the connection: else the lock of a daemon whose machine died would stay for hours.
# Nothing is answered before it is on disk: `off` would be a lie, while more than `on` is the operator's choice.
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
    locked = {"locked": f"{round(LOCKED_WITHIN_S * 1000)}ms"}
    version, encoding, fsync, *_ = connection.execute(_SETTINGS, locked).fetchone()
    connection.commit()
    if version < OLDEST_POSTGRESQL:
        raise StartRefused(f"The server is PostgreSQL {version}; notifybot needs {OLDEST_POSTGRESQL} or newer.")
    if encoding != "UTF8":
        raise StartRefused(
            f"The database is encoded in {encoding}, which cannot hold every message.",
            hint="Make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    if fsync == "off" and not read_only:
        log.warning("the server runs with fsync off: a power cut may lose messages", extra={"action": "database"})
