"""The demo in Chromium, with the real daemon and the sandbox."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from notifybot.demo.demo import Demo, running_demo
from tests.browser.visitor import Visitor, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FIRST_ALERT = "Disk almost full on db-1"
PLUG_TIMEOUT_MS = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(browser: Browser) -> AsyncIterator[Demo]:
    """Run one demo for all of these tests; each looks only at its own messages."""
    async with running_demo(port=0) as demo:
        yield demo


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, demo: Demo) -> AsyncIterator[Visitor]:
    visitor = await visit(browser, demo.backstage.address)
    await expect(visitor.page.locator("#pill")).to_have_attribute("data-up", re.compile("up|degraded"))
    yield visitor
    await visitor.page.context.close()
    assert visitor.complaints == []


async def _send(visitor: Visitor, text: str, *, to: str) -> None:
    """Send an alert with the page's form, and wait until its bubble appears."""
    await visitor.page.get_by_role("tab", name="Send an alert").click()
    await visitor.page.get_by_role("textbox", name="Text", exact=True).fill(text)
    await visitor.page.get_by_role("combobox", name="To", exact=True).select_option(to)
    await visitor.page.get_by_role("button", name="Send alert").click()


async def _tell_the_daemon(demo: Demo, **fields: object) -> None:
    async with demo.backstage.http.post("http://localhost/api/ingest", json=fields) as response:
        assert response.status == 202, await response.text()


async def test_a_first_alert_tells_the_story(visitor: Visitor) -> None:
    await visitor.opens("Anna")
    await expect(visitor.bubble("You are subscribed").locator("code").first).to_be_visible()
    await expect(visitor.bubble(FIRST_ALERT).get_by_text("full in 40 minutes")).to_be_visible()
    await expect(visitor.page.locator("#detail .subject")).to_have_text(FIRST_ALERT)
    await expect(visitor.page.locator("#detail .deadline")).to_have_count(2)


async def test_the_command_menu_is_the_bots_own_and_fits_a_phone(visitor: Visitor) -> None:
    await visitor.opens("Anna")
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    await visitor.page.locator("#commands").click()
    entries = visitor.page.locator("#command-menu button")
    await expect(entries).to_have_count(8)
    box = await visitor.page.locator("#command-menu").bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    await visitor.page.keyboard.press("Escape")


async def test_the_command_for_a_terminal_is_complete_at_once(visitor: Visitor, demo: Demo) -> None:
    await visitor.page.get_by_role("tab", name="Send an alert").click()
    await expect(visitor.page.locator("#curl")).to_contain_text(f"--unix-socket {demo.folder.socket} ")
    await expect(visitor.page.locator("#curl")).not_to_contain_text("…")


async def test_an_alert_is_sent_acknowledged_and_its_bubble_says_so(visitor: Visitor) -> None:
    await visitor.opens("Ben")
    await _send(visitor, "The backup failed", to="Ben (person)")
    await expect(visitor.page.locator("#detail .subject")).to_have_text("The backup failed")
    bubble = visitor.bubble("The backup failed")
    await bubble.get_by_role("button", name="Acknowledge").click()
    await expect(bubble.locator(".edited")).to_be_visible()
    await expect(bubble.get_by_role("button", name="Acknowledge")).to_have_count(0)
    await expect(bubble).to_contain_text("Acknowledged by Ben")
    await expect(visitor.page.locator("#detail .verdict")).to_contain_text("Acknowledged by Ben")
    await expect(visitor.page.locator("#detail [data-event=acknowledged]")).to_contain_text("Ben")


async def test_an_unacknowledged_alert_appears_in_the_escalation_channel(visitor: Visitor, demo: Demo) -> None:
    chat = str(demo.cast.ben)
    await _tell_the_daemon(demo, type="text", content="nobody looks", channel_id=chat, escalate_after="1s")
    await visitor.opens("Escalation")
    await expect(visitor.bubble("nobody looks").get_by_role("button", name="Acknowledge")).to_be_visible()
    await visitor.bubble("nobody looks").get_by_role("button", name="Show the daemon's details of this message").click()
    await expect(visitor.page.locator("#detail .subject")).to_have_text("nobody looks")
    await expect(visitor.page.locator("#detail .delivery")).to_have_count(2)
    await expect(visitor.page.locator("#detail [data-event=escalated]")).to_be_visible()


async def test_a_row_of_the_recent_messages_leads_to_the_message_and_its_bubble(visitor: Visitor, demo: Demo) -> None:
    body = {"type": "text", "content": "a notice for Ops", "channel_id": str(demo.cast.ops), "acknowledge": False}
    await _tell_the_daemon(demo, **body)
    await visitor.page.locator("#recent").get_by_role("button", name="a notice for Ops").click()
    await visitor.page.locator("#detail").get_by_role("button", name="Ops").click()
    await expect(visitor.page.locator("#talk-title")).to_have_text("Ops")
    await expect(visitor.bubble("a notice for Ops")).to_be_in_viewport()


async def test_the_form_shows_the_daemons_error(visitor: Visitor) -> None:
    await _send(visitor, "   ", to="Anna (person)")
    await expect(visitor.page.locator("#alert-problem")).to_contain_text("blank")


async def test_while_telegram_is_away_an_alert_waits_and_afterwards_it_is_shown(visitor: Visitor) -> None:
    await visitor.opens("Anna")
    await visitor.page.get_by_role("tab", name="Faults").click()
    await visitor.page.locator("#fault-list").get_by_role("button", name="Telegram is away").click()
    await expect(visitor.page.locator("#chips")).to_contain_text("Telegram is away")
    await _send(visitor, "sent into the void", to="Anna (person)")
    await expect(visitor.page.locator("#detail .state").first).to_have_text("initiated")
    await expect(visitor.page.locator("#waiting")).to_have_text("1")
    await visitor.page.get_by_role("button", name="End: Telegram is away").click()
    await expect(visitor.bubble("sent into the void")).to_be_visible(timeout=30_000)
    await expect(visitor.page.locator("#chips li")).to_have_count(0)


async def test_pulling_the_plug_loses_nothing(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="Pull the plug").click()
    card = visitor.page.locator("#plug-card")
    await expect(card).to_contain_text("The daemon is down")
    await expect(visitor.page.locator("#pill")).to_have_attribute("data-up", "down")
    await expect(card).to_contain_text("The daemon is back")
    await expect(card).to_contain_text("Nothing was lost", timeout=PLUG_TIMEOUT_MS)
    for word, count in {"accepted": "12", "shown": "12", "lost": "0"}.items():
        await expect(card.locator(f"[data-count={word}] dd")).to_have_text(count)
    await expect(visitor.page.locator("#kills")).to_have_text("1")


async def test_on_a_phone_the_daemons_side_is_a_view_of_its_own(browser: Browser, demo: Demo) -> None:
    visitor = await visit(browser, demo.backstage.address, is_phone=True, scheme="dark")
    await visitor.opens("Anna")
    await visitor.page.get_by_role("button", name="Show the daemon's details", exact=True).click()
    await expect(visitor.page.locator("#detail .subject")).to_be_in_viewport()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await visitor.page.get_by_role("button", name="Back to the conversation").click()
    await expect(visitor.page.locator("#panel")).not_to_be_in_viewport()
    assert visitor.complaints == []
