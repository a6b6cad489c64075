"""Fixtures: a fresh database with the current schema."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import close_all_sessions

from notifybot.storage import migrations
from notifybot.storage.database import Database
from tests.support.databases import Store, Template


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database file to copy."""
    file = tmp_path_factory.mktemp("migrated") / "notifybot.sqlite3"
    migrations.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def file(migrated: Path, tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copy(migrated, tmp_path / "notifybot.sqlite3"))
    close_all_sessions()


@pytest.fixture
def store(template: Template, tmp_path: Path) -> Iterator[Store]:
    """Create a fresh database of the kind given by --database."""
    made = template.copy(tmp_path)
    yield made
    close_all_sessions()
    made.drop()


@pytest.fixture
async def database(store: Store) -> AsyncIterator[Database]:
    opened = Database(store.url)
    opened.start()
    yield opened
    await opened.close()
