"""A visitor of the chat page in Chromium, and the bot on the other side."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientSession
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

CHROMIUM = Path("/usr/bin/chromium")
# Chromium logs each status above 399. The daemon may refuse or be down, and a sandbox alone has no demo.
NOTED = "Failed to load resource: the server responded with a status of "
MAY_FAIL = ("/daemon/", "/demo/")


@dataclass
class Visitor:
    """One browser tab on the page. `complaints` are console errors, `asked` all requested URLs."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def arrives(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        await self.page.goto(self.url)

    async def opens(self, chat: str) -> None:
        await self.row(chat).get_by_role("button").click()
        await expect(self.page.locator("#talk-title")).to_have_text(chat)

    async def says(self, text: str) -> None:
        await self.page.get_by_role("textbox", name="Message", exact=True).fill(text)
        await self.page.keyboard.press("Enter")

    async def presses(self, button: str) -> None:
        await self.bubbles.get_by_role("button", name=button, exact=True).last.click()

    def row(self, chat: str) -> Locator:
        """Return the line of a chat in the list on the left."""
        name = self.page.locator(".chat-name", has_text=re.compile(f"^{re.escape(chat)}$"))
        return self.page.locator("#chat-list li").filter(has=name)

    def bubble(self, text: str) -> Locator:
        """Return the newest bubble with a text."""
        return self.page.locator("#bubbles .msg", has_text=text).last

    @property
    def bubbles(self) -> Locator:
        return self.page.locator("#bubbles")

    def _listen(self, message: ConsoleMessage) -> None:
        path = message.location["url"].removeprefix(self.url.partition("?")[0].rstrip("/"))
        is_expected = message.text.startswith(NOTED) and path.startswith(MAY_FAIL)
        if message.type in ("error", "warning") and not is_expected:
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)


async def visit(browser: Browser, url: str, *, is_phone: bool = False, scheme: str = "light") -> Visitor:
    """Open a tab with a fresh profile on the page."""
    size = (390, 844) if is_phone else (1280, 800)
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=is_phone,
    )
    context.set_default_timeout(30_000)
    visitor = Visitor(await context.new_page(), url)
    await visitor.arrives()
    return visitor


@dataclass(frozen=True)
class Bot:
    """The bot's side: calls of the Bot API."""

    http: ClientSession
    url: str
    token: str

    async def calls(self, method: str, **params: object) -> object:
        async with self.http.post(f"{self.url}/bot{self.token}/{method}", json=params) as response:
            answer = await response.json()
            assert answer["ok"], answer
            result: object = answer["result"]
            return result

    async def sends(self, chat_id: int, text: str, **params: object) -> int:
        """Send a message and return its id."""
        sent = await self.calls("sendMessage", chat_id=chat_id, text=text, **params)
        assert isinstance(sent, dict)
        return int(sent["message_id"])

    async def hears_a_press(self) -> str:
        """Wait for a button press and return the id of its query."""
        offset = 0
        for _ in range(20):
            updates = await self.calls("getUpdates", offset=offset, timeout=5)
            assert isinstance(updates, list)
            for update in updates:
                offset = update["update_id"] + 1
                if "callback_query" in update:
                    return str(update["callback_query"]["id"])
        raise AssertionError("no button was pressed")
