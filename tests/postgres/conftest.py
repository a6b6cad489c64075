"""A PostgreSQL database for each test, regardless of --database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.server import Server
from tests.support.databases import PostgresStore, PostgresTemplate, new_template


@pytest.fixture(scope="session")
def migrated(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> PostgresTemplate:
    made = new_template("postgresql", tmp_path_factory.mktemp("migrated"), postgres)
    assert isinstance(made, PostgresTemplate)
    return made


@pytest.fixture
def store(migrated: PostgresTemplate, tmp_path: Path) -> Iterator[PostgresStore]:
    """A migrated database."""
    made = migrated.copy(tmp_path)
    yield made
    made.drop()


@pytest.fixture
def empty(postgres: Server) -> Iterator[PostgresStore]:
    """A database without tables."""
    made = PostgresStore(postgres, postgres.create())
    yield made
    made.drop()
