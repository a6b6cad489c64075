"""Sessions on PostgreSQL: durable commits, read-only readers, a UTF-8 database."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot.errors import StartRefused, Unavailable
from notifybot.storage import migrations
from notifybot.storage.engines import hold_database, password_in
from tests.postgres.leader import Gate, adding, leading, names
from tests.postgres.server import Server
from tests.support.databases import PostgresStore


class Setting:
    """Return work that reads one setting of its session."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, session: Session) -> str:
        return str(session.execute(text("SELECT current_setting(:name)"), {"name": self._name}).scalar_one())


@pytest.mark.parametrize(
    ("configured", "used"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply"), ("local", "local")]
)
async def test_a_commit_is_on_disk_despite_the_database_default(
    store: PostgresStore, configured: str, used: str
) -> None:
    store.rows(f"ALTER DATABASE {store.name} SET synchronous_commit = {configured}")
    async with leading(store.url) as database:
        assert await database.write(Setting("synchronous_commit")) == used


async def test_a_reader_cannot_write(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        with pytest.raises(Unavailable):
            await database.read(adding("a"))
        assert await database.read(Setting("transaction_read_only")) == "on"
        assert await database.read(Setting("transaction_isolation")) == "repeatable read"
    assert store.rows("SELECT 1 FROM chats") == []


async def test_a_reader_reconnects_at_once(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        first = await database.read(backend)
        store.rows("SELECT pg_terminate_backend(?, 10000)", first)
        assert await database.read(backend) != first


def backend(session: Session) -> int:
    return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


async def test_the_server_checks_for_dead_clients(store: PostgresStore) -> None:
    """Otherwise the lock of such a daemon would stay for as long as TCP waits: hours."""
    settings = text("SELECT name FROM pg_settings WHERE source = 'session' AND name LIKE 'tcp_keepalives_%'")
    async with leading(store.url) as database:
        told = await database.write(lambda session: set(session.execute(settings).scalars()))
    assert told == {"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"}


@pytest.mark.parametrize("secret", [":secret-word@/notifybot?", "@/notifybot?password=secret-word&"])
def test_a_missing_server_is_reported_in_two_lines(tmp_path: Path, secret: str) -> None:
    url = f"postgresql://notifybot{secret}host={tmp_path}"
    assert password_in(url) == "secret-word"
    for begin in (lambda: hold_database(url).__enter__(), lambda: migrations.upgrade(url)):
        with pytest.raises(StartRefused) as refused:
            begin()
        assert "secret-word" not in refused.value.detail
        assert "cannot be used" in refused.value.detail
        assert refused.value.hint


def test_a_database_with_another_encoding_is_refused(postgres: Server) -> None:
    with postgres.connected("postgres") as connection:
        connection.execute("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    with pytest.raises(StartRefused, match="SQL_ASCII"), hold_database(postgres.url("ascii")):
        pass


def test_migrating_again_changes_nothing_and_a_newer_database_is_refused(store: PostgresStore) -> None:
    assert "already" in migrations.upgrade(store.url)
    store.rows("UPDATE alembic_version SET version_num = 'zzzz'")
    with pytest.raises(StartRefused, match="zzzz"):
        migrations.upgrade(store.url)


async def test_writes_share_a_commit_and_a_refusal_rolls_back_its_own(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        gate = Gate(database)
        await gate.is_held.wait()
        before = database.commits
        writing = [asyncio.create_task(database.write(adding(name))) for name in ("a", "b", "a", "c")]
        await asyncio.sleep(0)
        gate.open()
        answers = await asyncio.gather(*writing, return_exceptions=True)
        assert [type(answer) for answer in answers] == [str, str, Unavailable, str]
        assert database.commits - before == 2
    assert names(store) == ["a", "b", "c", "held"]


def test_a_missing_driver_is_reported_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StartRefused) as refused, hold_database("postgresql:///notifybot"):
        pass
    assert "psycopg" in refused.value.detail
    assert "PINS=postgres" in str(refused.value.hint)
