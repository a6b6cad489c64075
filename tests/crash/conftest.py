"""Fixture: one crash lab per test. Its folder, with database and log, stays among pytest's temporary folders."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks.lab.lab import Lab, laboratory


@pytest.fixture
def seed() -> int:
    """Seed of the steps and the load. A failure prints it; CRASH_SEED=… repeats it."""
    return int(os.environ.get("CRASH_SEED", random.SystemRandom().randrange(10**6)))


@pytest_asyncio.fixture
async def lab(tmp_path: Path, seed: int) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path, seed) as made:
        yield made
