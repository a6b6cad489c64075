"""Marks on tests that start a daemon, and the choice of those with a database for a run on PostgreSQL."""

import pytest

STARTS_A_DAEMON = frozenset(
    {
        "benchmarks.lab.lab",
        "notifybot.demo.demo",
        "tests.browser.visitor",
        "tests.cli.real",
        "tests.postgres.server",
        "tests.stories.world",
        "tests.support.door",
        "tests.support.remote",
    }
)
"""A test module that imports something of these is about more than one room."""
USES_A_DATABASE = frozenset({"postgres", "session_template", "template"})
"""Fixtures, whether a test names them or another fixture does."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`daemon` marks what `make check` leaves to `make test`."""
    for item in items:
        if _starts_a_daemon(item):
            item.add_marker(pytest.mark.daemon)
    if config.getoption("--database") == "postgresql":
        config.hook.pytest_deselected(items=[item for item in items if not _uses_a_database(item)])
        items[:] = [item for item in items if _uses_a_database(item)]


def _starts_a_daemon(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    imported = {getattr(value, "__module__", None) for value in vars(item.module).values()}
    return bool(imported & STARTS_A_DAEMON) or "postgres" in item.fixturenames


def _uses_a_database(item: pytest.Item) -> bool:
    """Tests of PostgreSQL itself may start a server of their own."""
    has_one = isinstance(item, pytest.Function) and bool(USES_A_DATABASE & set(item.fixturenames))
    return has_one or item.path.parent.name == "postgres"
