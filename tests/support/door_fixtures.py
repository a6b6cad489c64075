"""Fixtures: a daemon shared by a module's tests, and a check that its log stays quiet."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.databases import PostgresStore, Template
from tests.support.door import URL_FILE, Door, door, open_folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(session_template: Template) -> AsyncIterator[Door]:
    """Run a daemon for all tests of a module."""
    with open_folder() as folder, chosen_database(folder, session_template):
        async with door(folder) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def refusing(shared: Door) -> AsyncIterator[Door]:
    """Return the shared daemon; its rows must be the same after the test."""
    before = await shared.kept()
    yield shared
    after = await shared.kept()
    assert after == before, {name: (before[name], after[name]) for name in after if after[name] != before[name]}


@pytest.fixture
def folder(session_template: Template) -> Iterator[Path]:
    with open_folder() as made, chosen_database(made, session_template):
        yield made


@contextlib.contextmanager
def chosen_database(folder: Path, template: Template) -> Iterator[None]:
    """Create a migrated database for the daemon in this folder."""
    store = template.copy(folder / "data")
    if isinstance(store, PostgresStore):
        (folder / URL_FILE).write_text(store.url)
    yield
    store.drop()


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that mistakes of callers cause no warning and no traceback in the log."""
    caplog.set_level(logging.INFO)
    yield
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno >= logging.WARNING or record.exc_info] == []
