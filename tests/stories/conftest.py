"""Fixtures: worlds for stories, each with its own Telegram, bot, database and clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.stories.places import Place
from tests.stories.world import Json, World
from tests.support.databases import Template

MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def world(tmp_path: Path, template: Template) -> AsyncIterator[World]:
    """Create a world with a running daemon, without limits unless a story sets them."""
    async with World(tmp_path, template) as world:
        await world.starts()
        yield world


@pytest.fixture
def ops(world: World) -> Place:
    """Create a group that receives alerts."""
    return world.group("Ops")


@pytest.fixture
async def another(tmp_path_factory: pytest.TempPathFactory, template: Template) -> AsyncIterator[MakeWorld]:
    """Create a world with custom settings; its daemon does not run yet."""
    async with AsyncExitStack() as worlds:

        async def make(*, limits: bool = False, duty: str = "channel", **settings: Json | list[str] | None) -> World:
            world = World(tmp_path_factory.mktemp("world"), template, limits=limits, duty=duty, **settings)
            return await worlds.enter_async_context(world)

        yield make
