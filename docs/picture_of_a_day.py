"""Take the picture of a daily summary, after a simulated day: `python -m docs.picture_of_a_day`.

It has the requirements of docs/pictures.py, and needs Pillow.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

from docs.pictures import CHROMIUM, take
from tests.stories.places import Place
from tests.stories.world import World
from tests.support.databases import new_template

READER = "Clara"
NOTICES = (3, 2, 2, 1, 4, 6, 3, 2, 1, 1, 2, 1, 1, 5, 8, 3, 2, 1, 1, 2, 4, 6, 5, 3)
"""Notices per hour, starting at 9:00; on the previous day, one less per hour."""
ALERTS = {4: "disk full on db-1", 13: "backup of web-2 failed", 14: "api answers slowly", 21: "fan of rack 4 is slow"}
SOURCES = ("backup", "web", "cron")
SUMMARY = {"time_zone": "Europe/Berlin"}
UNANSWERED = {"close_after": "2d", "escalate_after": "never"}


async def take_summary() -> None:
    with TemporaryDirectory(prefix="notifybot-day-") as name:
        template = new_template("sqlite", Path(name), None)
        async with World(Path(name) / "world", template, summary=SUMMARY, alerts=UNANSWERED) as world:
            await world.starts()
            reader = await world.subscriber(READER)
            world.rows("UPDATE people SET account = 'clara', summary_time = '10:00'")
            operations = world.group("Operations")
            await pass_a_day(world, operations, fewer=1)
            await pass_a_day(world, operations, fewer=0)
            await world.is_quiet()
            await reader.receives("Daily summary, Tuesday")
            await reader.receives("Daily summary, Wednesday")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
                )
                await take(browser, world.url, "summary", chat=READER, all_of_it=False)
                await browser.close()


async def pass_a_day(world: World, operations: Place, *, fewer: int) -> None:
    """Simulate a day from 9:00 to 9:00 UTC; the person on duty acknowledges two of the alerts."""
    clara = world.member(operations, "Clara B.")
    for hour, count in enumerate(NOTICES):
        for number in range(count - fewer):
            await world.notice("done", to=operations, source=SOURCES[number % len(SOURCES)])
        if hour in ALERTS:
            await world.alert(ALERTS[hour], to=operations, source="monitor")
            post = await operations.receives(ALERTS[hour])
            await world.later(minutes=2 + hour // 4)
            if hour < 14 or fewer:
                await post.pressed(clara)
        world.rows("UPDATE messages SET account = 'clara' WHERE account != 'notifybot'")
        await world.is_quiet()
        await world.later(seconds=(timedelta(hours=1) - since_the_hour(world)).total_seconds())


def since_the_hour(world: World) -> timedelta:
    at = world.clock.at
    return at - at.replace(minute=0, second=0, microsecond=0)


if __name__ == "__main__":
    asyncio.run(take_summary())
