"""A sandbox with a stopped clock, served on loopback, and a person who has started the bot."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from notifybot.sandbox import Sandbox, serving
from notifybot.sandbox.world.state import User
from tests.sandbox.api import TIMEOUT, Api, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sandbox(clock: HandClock) -> Sandbox:
    return Sandbox(clock=clock)


@pytest.fixture
def anna(sandbox: Sandbox) -> User:
    """A person with a private chat; the update of her /start is already confirmed."""
    user = sandbox.add_user("Anna", username="anna")
    sandbox.say(user, "/start")
    sandbox.world.updates.clear()
    return user


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    async with serving(sandbox) as url, aiohttp.ClientSession(timeout=TIMEOUT) as client:
        yield Api(url, sandbox, client)
