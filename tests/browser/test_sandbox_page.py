"""The chat page on the sandbox alone: what a person sees and does there, in a real Chromium."""

import pytest
from playwright.async_api import Browser, expect

from notifybot.sandbox import Sandbox
from tests.browser.visitor import Bot, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> & <script>document.title='owned'</script>"
ACKNOWLEDGE = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "a"}]]}
MANY = 400
MOST_BUBBLES = 250


async def test_a_new_person_presses_start_and_the_bot_hears_it(browser: Browser, sandbox: Sandbox, url: str) -> None:
    anna = sandbox.add_user("Anna")
    visitor = await visit(browser, url)
    await visitor.page.get_by_role("button", name="Start", exact=True).click()
    await expect(visitor.bubble("/start")).to_be_visible()
    assert [message.text for message in sandbox.messages(anna)] == ["/start"]
    assert visitor.complaints == []


async def test_a_person_can_be_added(browser: Browser, sandbox: Sandbox, url: str) -> None:
    visitor = await visit(browser, url)
    await visitor.page.get_by_role("button", name="Add a person, group or channel").click()
    await visitor.page.get_by_label("Name").fill("Carol")
    await visitor.page.get_by_role("button", name="Add", exact=True).click()
    await expect(visitor.page.locator("#talk-title")).to_have_text("Carol")
    assert [user.first_name for user in sandbox.world.users.values() if not user.is_bot] == ["Carol"]


async def test_markup_in_messages_names_and_buttons_stays_text(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    eve = sandbox.add_user("<b>Eve</b>")
    group = sandbox.add_chat("supergroup", HOSTILE, members=[eve])
    sandbox.say(eve, HOSTILE, chat=group)
    keys = {"inline_keyboard": [[{"text": "<i>x</i>", "callback_data": "x"}]]}
    await bot.sends(group.id, HOSTILE, reply_markup=keys)
    visitor = await visit(browser, url)
    await visitor.opens(HOSTILE)
    await expect(visitor.page.locator("#bubbles .words", has_text=HOSTILE)).to_have_count(2)
    await expect(visitor.page.locator("#bubbles").get_by_role("button", name="<i>x</i>")).to_be_visible()
    await expect(visitor.page.locator("img, #bubbles script, #bubbles i, #chat-list b b")).to_have_count(0)
    assert "owned" not in await visitor.page.title()
    assert visitor.complaints == []


async def test_formatting_is_shown_as_telegram_shows_it(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    text = (
        "<b>bold <i>both</i></b> <u>under</u> <s>gone</s> <code>code</code> <tg-spoiler>secret</tg-spoiler>"
        '<pre><code class="language-python">a &lt; b</code></pre><blockquote>said</blockquote>'
        '<a href="https://example.org/x">link</a>'
    )
    await bot.sends(anna.id, text, parse_mode="HTML")
    visitor = await visit(browser, url)
    bubble = visitor.bubble("bold")
    await expect(bubble.locator("strong em")).to_have_text("both")
    await expect(bubble.locator("strong")).to_have_text("bold both")
    await expect(bubble.locator("u")).to_have_text("under")
    await expect(bubble.locator("s")).to_have_text("gone")
    await expect(bubble.locator("pre[data-language=python]")).to_have_text("a < b")
    await expect(bubble.locator("blockquote")).to_have_text("said")
    await expect(bubble.get_by_role("link", name="link")).to_have_attribute("href", "https://example.org/x")


async def test_a_hidden_text_is_shown_when_it_is_asked_for(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    await bot.sends(anna.id, "the code is ||4711||", parse_mode="MarkdownV2")
    visitor = await visit(browser, url)
    hidden = visitor.page.get_by_role("button", name="Hidden text: show it")
    await hidden.press("Enter")
    await expect(hidden).to_have_count(0)
    await expect(visitor.page.locator(".spoiler.open")).to_have_text("4711")


async def test_a_press_reaches_the_bot_and_its_answer_and_edit_are_seen(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    message_id = await bot.sends(anna.id, "disk full", reply_markup=ACKNOWLEDGE)
    visitor = await visit(browser, url)
    await visitor.presses("Acknowledge")
    query_id = await bot.hears_a_press()
    await expect(visitor.page.locator(".key.waits")).to_be_visible()
    await bot.calls("answerCallbackQuery", callback_query_id=query_id, text="Thank you, Anna")
    await bot.calls("editMessageText", chat_id=anna.id, message_id=message_id, text="disk full: Anna has it")
    await expect(visitor.page.get_by_role("status").filter(has_text="Thank you, Anna")).to_be_visible()
    await expect(visitor.bubble("Anna has it").locator(".edited")).to_have_text("edited")
    await expect(visitor.page.locator(".key")).to_have_count(0)
    assert visitor.complaints == []


async def test_in_a_group_somebody_else_can_speak(browser: Browser, sandbox: Sandbox, url: str) -> None:
    people = [sandbox.add_user("Anna"), sandbox.add_user("Ben")]
    group = sandbox.add_chat("supergroup", "Ops", members=people)
    visitor = await visit(browser, url)
    await visitor.opens("Ops")
    await visitor.page.get_by_label("Speaks and presses as").select_option("Ben")
    await visitor.says("I look after it")
    await expect(visitor.bubble("I look after it")).to_be_visible()
    assert [(message.sender.first_name, message.text) for message in sandbox.messages(group)] == [
        ("Ben", "I look after it")
    ]


async def test_what_was_not_seen_yet_is_counted(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    anna, ben = sandbox.add_user("Anna"), sandbox.add_user("Ben")
    sandbox.say(ben, "/start")
    sandbox.say(anna, "/start")
    visitor = await visit(browser, url)
    await visitor.opens("Anna")
    await bot.sends(ben.id, "one")
    await bot.sends(ben.id, "two")
    await expect(visitor.row("Ben").locator(".unread")).to_have_text("2")
    await visitor.opens("Ben")
    await expect(visitor.row("Ben").locator(".unread")).to_be_hidden()


async def test_a_long_chat_keeps_the_page_small_and_can_be_read_to_its_beginning(
    browser: Browser, sandbox: Sandbox, url: str
) -> None:
    anna = sandbox.add_user("Anna")
    for number in range(MANY):
        sandbox.say(anna, f"line {number}")
    visitor = await visit(browser, url)
    await expect(visitor.bubble(f"line {MANY - 1}")).to_be_in_viewport()
    first = visitor.page.locator("#bubbles .words").first
    for _ in range(MANY):
        await visitor.page.locator("#scroll").evaluate("node => { node.scrollTop = 0 }")
        await visitor.page.evaluate("() => new Promise(requestAnimationFrame)")
        assert await visitor.page.locator("#bubbles li").count() <= MOST_BUBBLES
        if await first.text_content() == "line 0":
            break
    await expect(first).to_have_text("line 0")
    await visitor.page.get_by_role("button", name="Go to the newest message").click()
    await expect(visitor.bubble(f"line {MANY - 1}")).to_be_in_viewport()


async def test_on_a_phone_there_is_one_column_with_a_way_back(browser: Browser, sandbox: Sandbox, url: str) -> None:
    sandbox.say(sandbox.add_user("Anna"), "/start")
    visitor = await visit(browser, url, is_phone=True)
    await expect(visitor.page.locator(".talk")).to_be_hidden()
    await visitor.opens("Anna")
    await expect(visitor.page.locator(".chats")).to_be_hidden()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await visitor.page.get_by_role("button", name="Back to the chats").click()
    await expect(visitor.row("Anna")).to_be_visible()


async def test_the_sandbox_alone_shows_nothing_of_a_daemon(browser: Browser, sandbox: Sandbox, url: str) -> None:
    sandbox.say(sandbox.add_user("Anna"), "/start")
    visitor = await visit(browser, url)
    await expect(visitor.bubble("/start")).to_be_visible()
    for name in ("#panel", "#plug", "#kills", "#waiting"):
        await expect(visitor.page.locator(name)).to_be_hidden()


async def test_everything_is_reached_by_keyboard(browser: Browser, sandbox: Sandbox, url: str) -> None:
    anna, ben = sandbox.add_user("Anna"), sandbox.add_user("Ben")
    sandbox.say(ben, "/start")
    sandbox.say(anna, "/start")
    visitor = await visit(browser, url)
    await visitor.opens("Anna")
    await visitor.row("Ben").get_by_role("button").focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("#talk-title")).to_have_text("Ben")
    await visitor.page.keyboard.type("hello from the keyboard")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.bubble("hello from the keyboard")).to_be_visible()


async def test_it_follows_the_wish_for_a_dark_page_and_can_be_switched(
    browser: Browser, sandbox: Sandbox, url: str
) -> None:
    visitor = await visit(browser, url, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await visitor.page.evaluate(ground)
    await visitor.page.get_by_role("button", name="Switch between light and dark").click()
    light = await visitor.page.evaluate(ground)
    assert (dark, light) == ("rgb(12, 17, 23)", "rgb(238, 241, 245)")
    await visitor.page.reload()
    assert await visitor.page.evaluate(ground) == light


async def test_it_asks_nobody_but_its_own_server(browser: Browser, sandbox: Sandbox, url: str) -> None:
    sandbox.say(sandbox.add_user("Anna"), "look at https://example.org")
    visitor = await visit(browser, url)
    await expect(visitor.bubble("example.org")).to_be_visible()
    assert [address for address in visitor.asked if not address.startswith((url, "data:"))] == []


async def test_it_catches_up_after_the_connection_was_lost(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    visitor = await visit(browser, url)
    await expect(visitor.bubble("/start")).to_be_visible()
    await visitor.page.context.set_offline(True)
    await bot.sends(anna.id, "sent meanwhile")
    await visitor.page.context.set_offline(False)
    await expect(visitor.bubble("sent meanwhile")).to_be_visible()
