"""Databases for tests: a SQLite file, or a database on the PostgreSQL server that the tests start."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from psycopg import sql

from notifybot.storage import migrations
from tests.postgres.server import Server

Rows = list[tuple[Any, ...]]
KINDS = ("sqlite", "postgresql")


class Store(Protocol):
    """One database, accessed beside the daemon."""

    @property
    def url(self) -> str: ...

    def rows(self, query: str, *values: object) -> Rows:
        """Run and commit a statement, with `?` for each value. Texts and numbers are the same on both kinds."""
        ...

    def refuse(self, change: str, *, only: str = "TRUE") -> contextlib.AbstractContextManager[None]:
        """Make a change like `INSERT ON posts` fail in the block, for rows that match `only` (on NEW or OLD)."""
        ...

    def drop(self) -> None:
        """Delete it, even with open connections."""
        ...


class Template(Protocol):
    """A migrated database to copy: running the migrations for every test would take most of the time."""

    def copy(self, folder: Path) -> Store:
        """Return a copy; a SQLite file goes to `folder`, under the name that the daemon expects."""
        ...


@dataclass(frozen=True)
class SqliteStore:
    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def rows(self, query: str, *values: object) -> Rows:
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def refuse(self, change: str, *, only: str = "TRUE") -> Iterator[None]:
        self.rows(f"CREATE TRIGGER broken BEFORE {change} WHEN {only} BEGIN SELECT RAISE(ABORT, 'broken'); END")
        try:
            yield
        finally:
            self.rows("DROP TRIGGER broken")

    def drop(self) -> None:
        for leftover in self.path.parent.glob(f"{self.path.name}*"):
            leftover.unlink()


@dataclass(frozen=True)
class SqliteTemplate:
    path: Path

    def copy(self, folder: Path) -> SqliteStore:
        folder.mkdir(parents=True, exist_ok=True)
        return SqliteStore(Path(shutil.copy(self.path, folder / "notifybot.sqlite3")))


@dataclass(frozen=True)
class PostgresStore:
    server: Server
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def rows(self, query: str, *values: object) -> Rows:
        with self.server.connected(self.name) as connection:
            cursor = connection.cursor()
            if values:
                cursor.execute(query.replace("%", "%%").replace("?", "%s").encode(), values)
            else:
                cursor.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def refuse(self, change: str, *, only: str = "TRUE") -> Iterator[None]:
        self.rows(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING MESSAGE = 'broken'; END $$"
        )
        self.rows(f"CREATE TRIGGER broken BEFORE {change} FOR EACH ROW WHEN ({only}) EXECUTE FUNCTION broken()")
        try:
            yield
        finally:
            self.rows("DROP FUNCTION broken CASCADE")

    def drop(self) -> None:
        with self.server.connected("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))


@dataclass(frozen=True)
class PostgresTemplate:
    server: Server
    name: str

    def copy(self, folder: Path) -> PostgresStore:
        folder.mkdir(parents=True, exist_ok=True)
        return PostgresStore(self.server, self.server.create(like=self.name))


def new_template(kind: str, folder: Path, server: Server | None) -> Template:
    """Migrate a fresh database of this kind."""
    if server is None:
        assert kind == "sqlite"
        path = folder / "template.sqlite3"
        migrations.upgrade(f"sqlite:///{path}")
        return SqliteTemplate(path)
    name = server.create()
    migrations.upgrade(server.url(name))
    return PostgresTemplate(server, name)
