"""Choice of the database: `--database` selects it, and some tests run on both in any case."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from notifybot.web import short_way
from tests.postgres.server import MISSING, Server, find_binaries, serving
from tests.support import budget, compiled_statements, selection
from tests.support.database_fixtures import database, file, migrated, store
from tests.support.databases import KINDS, Template, new_template

__all__ = ["database", "file", "migrated", "store"]

# The same examples in every run, so a new failure comes from the change at hand. `--hypothesis-profile=search` looks
# for new ones.
# No deadline: it counts wall time, and a busy machine would exceed it.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None, max_examples=1000)
settings.load_profile("steady")
compiled_statements.share()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=KINDS, default="sqlite", help="what the tests keep their messages in")
    parser.addoption("--long-way", action="store_true", help="let aiohttp serve plain requests as well")
    budget.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    short_way.IS_ON = not config.getoption("--long-way")
    for plugin in (budget, selection):
        config.pluginmanager.register(plugin)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Replace what UTF-8 cannot encode: reports go to the main process as UTF-8."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `both_databases` on SQLite and PostgreSQL, unless all tests run on PostgreSQL."""
    if metafunc.config.getoption("--database") != "sqlite" or "database_kind" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database_kind", KINDS)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with a short name: a worker's folder is deep, and a socket's path has at most 107 bytes."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.config.getoption("--database")
    return kind


@pytest.fixture(autouse=True)
def _only_where_it_makes_sense(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("sqlite_only")
    if marker is not None and request.getfixturevalue("database_kind") != "sqlite":
        pytest.skip(marker.kwargs["reason"])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run one server for all tests; tests that stop it start their own."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(MISSING)
    with serving(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return new_template("sqlite", tmp_path_factory.mktemp("template"), None)


@pytest.fixture(scope="session")
def postgresql_template(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Template:
    return new_template("postgresql", tmp_path_factory.mktemp("template"), postgres)


@pytest.fixture
def template(database_kind: str, request: pytest.FixtureRequest) -> Template:
    """Return a migrated database to copy."""
    chosen: Template = request.getfixturevalue(f"{database_kind}_template")
    return chosen


@pytest.fixture(scope="session")
def session_template(request: pytest.FixtureRequest) -> Template:
    """Return the same for fixtures that outlive a test; there, --database alone decides."""
    chosen: Template = request.getfixturevalue(f"{request.config.getoption('--database')}_template")
    return chosen
