"""Worlds that can be cut off from Telegram, directly or behind a proxy that goes silent."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories.places import Place
from tests.stories.world import World
from tests.support.databases import Template


@pytest.fixture
async def world(tmp_path: Path, template: Template) -> AsyncIterator[World]:
    """Create a world whose daemon is connected to Telegram."""
    async with World(tmp_path, template) as world:
        await world.starts()
        await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
        yield world


@pytest.fixture
def ops(world: World) -> Place:
    return world.group("Ops")
