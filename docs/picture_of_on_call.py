"""Take the pictures of /oncall: `python -m docs.picture_of_on_call`. It has the requirements of docs/pictures.py."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

from docs.pictures import CHROMIUM, take
from tests.stories.world import World
from tests.support.databases import new_template

PEOPLE = ("Alice", "Bob", "Carol")
TURNS = {
    "members": [name.lower() for name in PEOPLE],
    "start": "2026-03-02",
    "time_zone": "Europe/Berlin",
}


async def take_all() -> None:
    with TemporaryDirectory(prefix="notifybot-on-call-") as name:
        template = new_template("sqlite", Path(name), None)
        async with World(Path(name) / "world", template) as world, async_playwright() as playwright:
            await world.starts()
            alice, bob, _ = [await world.subscriber(each) for each in PEOPLE]
            world.rows("UPDATE people SET account = lower(chat_name)")
            world.sets(rotations={"oncall": TURNS})
            await world.restarts()
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

            await alice.receives("You are on call")
            await take(browser, world.url, "on-call-turn", chat="Alice", all_of_it=False)
            alice.says("/oncall override oncall carol 3h")
            await alice.receives("carol is on call for oncall")
            await world.ticks("on_call")
            await alice.receives("carol is on call in your place")
            bob.says("/oncall")
            await bob.receives("Who is on call")
            await take(browser, world.url, "on-call", chat="Bob", all_of_it=False)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take_all())
