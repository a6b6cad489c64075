"""The sandbox as a command."""

import asyncio
import sys

import aiohttp

from notifybot.sandbox import EXAMPLE_TOKEN
from tests.sandbox.api import TIMEOUT


async def test_it_prints_its_url_serves_and_stops_on_a_signal() -> None:
    command = (sys.executable, "-m", "notifybot.sandbox", "--port", "0", "--limits", "off")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        url = (await process.stdout.readline()).decode().strip()
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as client,
            client.get(f"{url}/bot{EXAMPLE_TOKEN}/getMe") as me,
        ):
            assert (await me.json())["result"]["is_bot"] is True
        process.terminate()
        assert await process.wait() == 0
