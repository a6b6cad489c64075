"""Worlds for stories: each has its own Telegram, its own bot, its own database and its own time."""

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
    """A world whose daemon runs, with no limits but those that a story sets."""
    async with World(tmp_path, template) as world:
        await world.starts()
        yield world


@pytest.fixture
def ops(world: World) -> Place:
    """A group that alerts go to."""
    return world.group("Ops")


@pytest.fixture
async def another(tmp_path_factory: pytest.TempPathFactory, template: Template) -> AsyncIterator[MakeWorld]:
    """Make a world with settings of its own; its daemon does not run yet."""
    async with AsyncExitStack() as worlds:

        async def make(*, limits: bool = False, duty: str = "channel", **settings: Json | list[str] | None) -> World:
            world = World(tmp_path_factory.mktemp("world"), template, limits=limits, duty=duty, **settings)
            return await worlds.enter_async_context(world)

        yield make
