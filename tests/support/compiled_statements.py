"""Compiled statements that all daemons of a test run share.

SQLAlchemy compiles each statement once per engine, and a story starts a daemon with engines of its own: compiling took
half of the suite's CPU time. Here two dialects of one kind are equal, and all connections use one cache.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_cache: dict[Any, Any] = {}


class _EqualDialects:
    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class SQLite(_EqualDialects, SQLiteDialect_pysqlite):
    supports_statement_cache = True


class PostgreSQL(_EqualDialects, PGDialect_psycopg):
    supports_statement_cache = True


def share() -> None:
    """Use these dialects for every engine that this process creates from now on."""
    registry.register("sqlite", __name__, SQLite.__name__)
    registry.register("postgresql.psycopg", __name__, PostgreSQL.__name__)
    event.listen(Engine, "engine_connect", _use_the_cache)


def _use_the_cache(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_cache)
