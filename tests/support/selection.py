"""Marks on tests that start a daemon, and the choice of those with a database for a run on PostgreSQL."""

from pathlib import Path

import pytest

STARTS_A_DAEMON = frozenset({"another", "browser", "lab", "postgres", "running", "session_template", "world"})
"""Fixtures, whether a test names them or another fixture does."""
FOLDERS = frozenset({"browser", "crash", "postgres", "stories"})
USES_A_DATABASE = frozenset({"postgres", "session_template", "template"})
ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`daemon` marks whatever `make check` leaves to `make test`."""
    for item in items:
        if STARTS_A_DAEMON & _fixtures(item) or FOLDERS & set(item.path.relative_to(ROOT).parts):
            item.add_marker(pytest.mark.daemon)
    if config.getoption("--database") == "postgresql":
        without = [item for item in items if not USES_A_DATABASE & _fixtures(item)]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if USES_A_DATABASE & _fixtures(item)]


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()
