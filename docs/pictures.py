"""Take the screenshots of the documentation: real messages through the real daemon, shown by the demo's chat page.

Run `python -m docs.pictures` in a checkout, with the test environment, Chromium and an emoji font
(on Debian: apt install chromium fonts-noto-color-emoji). It writes all pictures in docs/images except those of the demo
and summary.png (docs/picture_of_a_day.py).
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import ClientTimeout, FormData, JsonPayload, Payload
from playwright.async_api import Browser, Locator, async_playwright, expect

from notifybot.demo.demo import Demo, running_demo
from notifybot.rendering.markup import ParseMode

HERE = Path(__file__).parent
IMAGES = HERE / "images"
CHROMIUM = Path("/usr/bin/chromium")
WITHIN = ClientTimeout(total=30.0)
MARGIN = 10
AS_A_READER_SEES_IT = ".chosen .body { box-shadow: var(--shadow) !important } .ask { display: none !important }"
CHANNEL = "Operations"
READER = "Clara"
WORDS_OF_SETTINGS = (
    ("/start", "You are subscribed."),
    ("/settings zone Berlin", "Saved."),
    ("/settings quiet 22:00-07:00", "Saved."),
    ("/settings", "Your settings"),
)
LOADED = "pictures => Promise.all(pictures.map(picture => picture.decode()))"

PLAIN = """Filesystem  Size  Used  Use%
/dev/sda1    50G   48G   97%  <- *watch* <this>"""
UNREADABLE = "*Backup failed* on db1: 97.5 % full"
DISKS = {
    "db-1": (61, 66, 72, 77, 83, 90, 96),
    "db-2": (41, 40, 44, 43, 45, 44, 46),
    "web-1": (22, 31, 25, 34, 27, 36, 30),
}
DAYS = tuple(enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))
BUTTONS = [
    {"text": "Runbook", "url": "https://runbooks.example.org/disk"},
    {"text": "Copy the host", "copy": "db-1.example.org"},
]


@dataclass(frozen=True)
class Request:
    """One `POST /api/ingest`; `files` are (field, name, content)."""

    fields: Mapping[str, object]
    files: Sequence[tuple[str, str, bytes]] = ()

    def body(self, channel_id: int) -> Payload:
        """Return the body as JSON, or as a form if there are files."""
        fields = {"channel_id": str(channel_id), **self.fields}
        if not self.files:
            return JsonPayload(fields)
        form = FormData()
        for name, value in fields.items():
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        for field, name, content in self.files:
            form.add_field(field, content, filename=name)
        return form()


@dataclass(frozen=True)
class Scene:
    """Requests to a new channel. Done once it has `messages` posts, the last one with `ending`."""

    name: str
    requests: Sequence[Request]
    messages: int = 1
    ending: str = ""


def notice(text: str, **fields: object) -> Request:
    return Request({"content": text, "acknowledge": False, **fields})


def scenes_of_formats() -> list[Scene]:
    """Return the examples of formatting.md, in the order of the page."""
    page = (HERE / "formatting.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```\w*\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    shown = [
        Scene(f"format-{mode.value.lower()}", [notice(example, parse_mode=mode.value)])
        for mode, example in zip(ParseMode, examples, strict=False)
    ]
    plain = Scene("format-plain", [notice(PLAIN, title="Disks of db1")])
    return [plain, *shown, Scene("format-unreadable", [notice(UNREADABLE, parse_mode="MarkdownV2")])]


def scenes_of_files(charts: Mapping[str, bytes]) -> list[Scene]:
    caption = "<b>The disk of db-1 is 96 % full</b>\nAt this pace it is full in <i>40 minutes</i>."
    alert = {"caption": caption, "parse_mode": "HTML", "source": "monitoring", "buttons": BUTTONS}
    photos = [("photo", f"{host}.png", chart) for host, chart in charts.items()]
    report = ("file", "report.csv", b"host,day,used\n" * 900)
    week = {"caption": "The week on our disks", "title": "Weekly report", "acknowledge": False}
    return [
        Scene("photo", [Request(alert, [("photo", "db-1.png", charts["db-1"])])], ending="40 minutes"),
        Scene("album", [Request(week, [*photos, report])], messages=5),
    ]


def scenes_of_live_messages() -> list[Scene]:
    def disk(percent: int) -> Request:
        about = {"title": "Disk full on db-1", "source": "monitoring", "dedup_key": "disk-db-1"}
        return Request({"content": f"{percent} % of the disk is used", **about})

    told = [disk(percent) for percent in (91, 93, 96)]
    over = Request({"content": "64 % of the disk is used", "dedup_key": "disk-db-1", "action": "resolve"})
    return [
        Scene("repeated", told, ending="🔁 3 times"),
        Scene("resolved", [*told, over], ending="Resolved at"),
    ]


def chart(host: str, values: Sequence[int]) -> str:
    """Return a chart of a disk's usage over seven days, as SVG."""
    points = [(64 + 90 * day, 330 - 2.7 * value) for day, value in enumerate(values)]
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    grid = "".join(
        f'<path d="M64 {330 - 2.7 * level:g}h540" stroke="#d8dee6"/>'
        f'<text x="54" y="{336 - 2.7 * level:g}" text-anchor="end">{level} %</text>'
        for level in (0, 25, 50, 75, 100)
    )
    days = "".join(f'<text x="{64 + 90 * day}" y="362" text-anchor="middle">{name}</text>' for day, name in DAYS)
    color = "#d64545" if values[-1] > 90 else "#2f7de1"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="390" font-family="sans-serif" font-size="17" '
        f'fill="#5b6775"><rect width="640" height="390" fill="#fff"/><text x="64" y="34" font-size="21" fill="#1d2630">'
        f'/var on {host}</text>{grid}{days}<polygon points="64,330 {line} 604,330" fill="{color}" opacity=".14"/>'
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="4"/></svg>'
    )


async def take_all() -> None:
    async with async_playwright() as playwright, running_demo(port=None) as demo:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        charts = {host: await drawn(browser, chart(host, values)) for host, values in DISKS.items()}
        (IMAGES / "db-1.png").write_bytes(charts["db-1"])  # the README sends it
        for scene in (*scenes_of_formats(), *scenes_of_files(charts), *scenes_of_live_messages()):
            await play(demo, scene)
            await take(browser, demo.backstage.address, scene.name)
            print(f"docs/images/{scene.name}.png")
        await take_settings(demo, browser)
        await browser.close()


async def take_settings(demo: Demo, browser: Browser) -> None:
    """Take the pictures of telegram.md: a person's settings, and a page of cities."""
    reader = demo.sandbox.add_user(READER)
    for words, answer in WORDS_OF_SETTINGS:
        demo.sandbox.say(reader, words)
        await demo.sandbox.wait_for(partial(last_begins, demo, reader.id, answer))
    await take(browser, demo.backstage.address, "settings", chat=READER, all_of_it=False)
    for button, answer in (("Time zone", "Time zone\n\nChoose"), ("Europe", "Time zone\n\nEurope")):
        demo.sandbox.press(reader, demo.sandbox.messages(reader)[-1], button)
        await demo.sandbox.wait_for(partial(last_begins, demo, reader.id, answer))
    await take(browser, demo.backstage.address, "settings-zone", chat=READER, all_of_it=False)


def last_begins(demo: Demo, chat_id: int, text: str) -> bool:
    return demo.sandbox.messages(chat_id)[-1].text.startswith(text)


async def drawn(browser: Browser, svg: str) -> bytes:
    page = await browser.new_page()
    await page.set_content(svg)
    picture = await page.locator("svg").screenshot()
    await page.close()
    return picture


async def play(demo: Demo, scene: Scene) -> None:
    """Send the scene's requests one by one, each once the previous message is posted."""
    channel = demo.sandbox.add_chat("channel", CHANNEL)
    for request in scene.requests:
        body = request.body(channel.id)
        async with demo.backstage.http.post("http://localhost/api/ingest?wait=10", data=body, timeout=WITHIN) as answer:
            assert answer.ok, await answer.text()
    await demo.sandbox.wait_for(lambda: is_over(demo, channel.id, scene) or None, timeout=30.0)


def is_over(demo: Demo, channel_id: int, scene: Scene) -> bool:
    found = demo.sandbox.messages(channel_id)
    return len(found) == scene.messages and scene.ending in found[-1].text


async def take(browser: Browser, url: str, name: str, *, chat: str = CHANNEL, all_of_it: bool = True) -> None:
    """Take a picture of the newest chat of this name, or of its last message, at double resolution."""
    page = await browser.new_page(
        viewport={"width": 1400, "height": 2000}, color_scheme="light", device_scale_factor=2, bypass_csp=True
    )
    await page.goto(url)
    await page.add_style_tag(content=AS_A_READER_SEES_IT)
    await page.locator("#chat-list li").filter(has_text=chat).first.get_by_role("button").click()
    await expect(page.locator("#talk-title")).to_have_text(chat)
    bubbles = page.locator("#bubbles .msg")
    await expect(bubbles.first).to_be_visible()
    await bubbles.locator("img").evaluate_all(LOADED)
    left, top, right, bottom = await around(bubbles if all_of_it else bubbles.last)
    await page.screenshot(
        path=IMAGES / f"{name}.png", clip={"x": left, "y": top, "width": right - left, "height": bottom - top}
    )
    await page.close()


async def around(bubbles: Locator) -> tuple[float, float, float, float]:
    """Return the box around all bubbles, with a margin: left, top, right, bottom."""
    boxes = [box for bubble in await bubbles.all() if (box := await bubble.bounding_box())]
    return (
        min(box["x"] for box in boxes) - MARGIN,
        min(box["y"] for box in boxes) - MARGIN,
        max(box["x"] + box["width"] for box in boxes) + MARGIN,
        max(box["y"] + box["height"] for box in boxes) + MARGIN,
    )


if __name__ == "__main__":
    asyncio.run(take_all())
