"""Mark tests that start a daemon, and select tests that use a database for a run on PostgreSQL."""

import pytest

STARTS_A_DAEMON = frozenset(
    {
        "benchmarks.lab.day",
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
"""Modules that start a daemon: a test module that imports from them gets the mark."""
USES_A_DATABASE = frozenset({"postgres", "session_template", "template"})
"""Fixtures that provide a database, requested directly or by another fixture."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that `make check` skips with `daemon`; on PostgreSQL, deselect tests without a database."""
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
    """Return True for tests with a database, and for tests of PostgreSQL itself, which may start their own server."""
    has_one = isinstance(item, pytest.Function) and bool(USES_A_DATABASE & set(item.fixturenames))
    return has_one or item.path.parent.name == "postgres"
