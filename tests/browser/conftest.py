"""A real Chromium for each module of browser tests; without it they are skipped."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Browser, async_playwright, expect

from notifybot.sandbox import Sandbox, serving
from tests.browser.visitor import CHROMIUM, Bot

# Two cores, a Chromium and a starting daemon: a long timeout costs nothing if all is well.
expect.set_options(timeout=30_000)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run Chromium for one module: idle, it would take a tenth of a core from all later tests."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing (on Debian: apt install chromium)")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield chromium
        await chromium.close()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(limits=False)


@pytest_asyncio.fixture(loop_scope="session")
async def url(sandbox: Sandbox) -> AsyncIterator[str]:
    async with serving(sandbox) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def bot(sandbox: Sandbox, url: str) -> AsyncIterator[Bot]:
    async with ClientSession() as http:
        yield Bot(http, url, sandbox.token)
