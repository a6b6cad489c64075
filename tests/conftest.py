"""Which database the tests run on: `--database=postgresql` chooses, and some run on both in any case."""

from collections.abc import Iterator

import pytest

from tests.databases import KINDS, Template, new_template
from tests.postgres.server import MISSING, Server, find_binaries, serving


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=KINDS, default="sqlite", help="what the tests keep their messages in")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `both_databases` runs on SQLite and on PostgreSQL."""
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database_kind", KINDS, scope="session")


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.config.getoption("--database")
    return kind


@pytest.fixture(autouse=True)
def _only_where_it_makes_sense(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("sqlite_only")
    if marker is not None and request.config.getoption("--database") != "sqlite":
        pytest.skip(marker.kwargs["reason"])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests; who stops it starts a server of their own."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(MISSING)
    with serving(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def template(database_kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Template:
    """A migrated database, to be copied."""
    server = request.getfixturevalue("postgres") if database_kind == "postgresql" else None
    return new_template(database_kind, tmp_path_factory.mktemp("template"), server)
