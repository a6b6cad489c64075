"""A daemon shared by a module's tests, and the promise that its log stays quiet."""

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
    """A daemon for all tests of a module."""
    with open_folder() as folder, chosen_database(folder, session_template):
        async with door(folder) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def refusing(shared: Door) -> AsyncIterator[Door]:
    """The shared daemon, for tests after which it must keep what it kept before, and nothing else."""
    before = await shared.kept()
    yield shared
    assert await shared.kept() == before


@pytest.fixture
def folder(session_template: Template) -> Iterator[Path]:
    with open_folder() as made, chosen_database(made, session_template):
        yield made


@contextlib.contextmanager
def chosen_database(folder: Path, template: Template) -> Iterator[None]:
    """A migrated database, for the daemon whose folder this is."""
    store = template.copy(folder / "data")
    if isinstance(store, PostgresStore):
        (folder / URL_FILE).write_text(store.url)
    yield
    store.drop()


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a caller does wrong is the operator's trouble: no warning, no traceback."""
    caplog.set_level(logging.INFO)
    yield
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno >= logging.WARNING or record.exc_info] == []
