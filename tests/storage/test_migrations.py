"""Migrations: they create exactly the tables of the models, once, even if several run at the same time."""

import contextlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import notifybot.model.clock
import notifybot.model.deaths
import notifybot.model.messages
import notifybot.model.people
import notifybot.model.schedules  # noqa: F401
from notifybot.errors import StartRefused
from notifybot.model import conditions
from notifybot.storage import migrations

FOLDER = Path(migrations.__file__).parent


def rows(file: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


def indexes(file: Path) -> dict[str, str]:
    """Return the statement that created each index, with spacing and quotes normalized."""
    made = rows(file, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {name: re.sub(r"\s+", " ", sql.replace('"', "")) for name, sql in made}


@pytest.fixture
def modelled(tmp_path: Path) -> Path:
    """A database created from the models, without migrations."""
    file = tmp_path / "modelled.sqlite3"
    engine = create_engine(f"sqlite:///{file}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    return file


def test_alembic_finds_no_difference_to_the_models(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_each_index_is_the_same_with_its_columns_and_condition(migrated: Path, modelled: Path) -> None:
    assert indexes(migrated) == indexes(modelled)
    assert any(" WHERE " in made for made in indexes(migrated).values())


@pytest.mark.parametrize("table", sorted(SQLModel.metadata.tables))
def test_each_table_is_the_same_with_its_keys(migrated: Path, modelled: Path, table: str) -> None:
    for pragma in ("table_info", "foreign_key_list"):
        ask = f"SELECT * FROM pragma_{pragma}('{table}')"
        found, wanted = ({row[1:] for row in rows(file, ask)} for file in (migrated, modelled))
        assert found == wanted


def test_conditions_of_queries_equal_those_of_the_indexes(migrated: Path) -> None:
    made = indexes(migrated)
    for name, condition in {
        "messages_escalate": conditions.MAY_ESCALATE,
        "messages_close": conditions.MAY_EXPIRE,
        "messages_open": conditions.IS_OPEN,
        "messages_release": conditions.MAY_BE_RELEASED,
        "messages_remind": conditions.MAY_REMIND,
        "messages_next": conditions.IS_NEXT,
        "posts_due": conditions.IS_DUE,
        "posts_in_trouble": conditions.IS_IN_TROUBLE,
    }.items():
        assert made[name].endswith(f" WHERE {condition}")


def test_the_newest_revision_is_head() -> None:
    assert ScriptDirectory(str(FOLDER)).get_heads() == [migrations.HEAD]


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new folder/a.sqlite3"
    assert "empty database" in migrations.upgrade(url)
    before = rows(tmp_path / "new folder/a.sqlite3", "SELECT sql FROM sqlite_master ORDER BY name")
    assert "already" in migrations.upgrade(url)
    assert rows(tmp_path / "new folder/a.sqlite3", "SELECT sql FROM sqlite_master ORDER BY name") == before


def test_a_database_of_a_newer_version_is_refused_and_left_alone(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartRefused, match="9999") as refused:
        migrations.upgrade(f"sqlite:///{file}")
    assert "newer version" in (refused.value.hint or "")
    assert rows(file, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_two_upgrades_at_once_make_one_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite3"
    command = [sys.executable, "-c", f"from notifybot.storage import migrations; print(migrations.upgrade({url!r}))"]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in racing)
    assert [process.returncode for process in racing] == [0, 0]
    assert [("empty database" in line, "already" in line) for line in said] == [
        (False, True),
        (True, False),
    ]


def test_a_failed_migration_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE timeline (precious TEXT)")  # makes the first revision fail
    with pytest.raises(Exception, match="timeline"):
        migrations.upgrade(f"sqlite:///{file}")
    assert rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'") == [("timeline",)]
