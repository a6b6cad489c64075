"""Worlds with Telegram's rate limits, and chats to fill them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories.places import Place
from tests.stories.world import World
from tests.support.databases import Template


@pytest.fixture
async def paced(tmp_path: Path, template: Template) -> AsyncIterator[World]:
    """A world with Telegram's limits, whose daemon runs."""
    async with World(tmp_path, template, limits=True) as world:
        await world.starts()
        await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
        yield world


@pytest.fixture
async def unlimited(tmp_path: Path, template: Template) -> AsyncIterator[World]:
    """A world without limits, whose daemon runs."""
    async with World(tmp_path, template) as world:
        await world.starts()
        yield world


@pytest.fixture
async def slow(tmp_path: Path, template: Template) -> AsyncIterator[World]:
    """A world whose daemon makes four calls a second."""
    limits = {"overall_per_second": 5, "chat_per_second": 1000, "group_per_minute": 60000}
    async with World(tmp_path, template, telegram={"limits": limits}) as world:
        await world.starts()
        await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
        yield world


@pytest.fixture
def channels(paced: World) -> list[Place]:
    """Chats without a limit of a group."""
    return [paced.group(f"Channel {number}", "channel") for number in range(60)]
