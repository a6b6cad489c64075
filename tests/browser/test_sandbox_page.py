"""The chat page in Chromium, with only the sandbox."""

import json

import pytest
from aiohttp import FormData
from playwright.async_api import Browser, expect

from notifybot.sandbox import Sandbox
from tests.browser.visitor import Bot, visit
from tests.sandbox.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> & <script>document.title='owned'</script>"
ACKNOWLEDGE = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "a"}]]}
CLIPBOARD = "navigator.clipboard.readText()"
IS_LOADED = "picture => picture.complete && picture.naturalWidth"
MANY = 400
MOST_BUBBLES = 250


async def uploads(bot: Bot, method: str, files: dict[str, tuple[str, bytes]], **params: object) -> None:
    """Call a method with files; each is (its name, its bytes) under the name of its part."""
    form = FormData()
    for name, value in params.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    for name, (file_name, content) in files.items():
        form.add_field(name, content, filename=file_name)
    async with bot.http.post(f"{bot.url}/bot{bot.token}/{method}", data=form) as answer:
        assert answer.status == 200, await answer.text()


def started(sandbox: Sandbox) -> int:
    """A person who has started the bot: the id of their chat."""
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    return anna.id


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


async def test_a_spoiler_is_shown_on_a_click(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
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


async def test_another_person_can_write_in_a_group(browser: Browser, sandbox: Sandbox, url: str) -> None:
    people = [sandbox.add_user("Anna"), sandbox.add_user("Ben")]
    group = sandbox.add_chat("supergroup", "Ops", members=people)
    visitor = await visit(browser, url)
    await visitor.opens("Ops")
    await visitor.page.get_by_label("Act as").select_option("Ben")
    await visitor.says("I look after it")
    await expect(visitor.bubble("I look after it")).to_be_visible()
    assert [(message.sender.first_name, message.text) for message in sandbox.messages(group)] == [
        ("Ben", "I look after it")
    ]


async def test_unread_messages_are_counted(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
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


async def test_it_follows_the_systems_dark_mode_and_can_be_switched(
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


async def test_the_page_only_contacts_its_own_server(browser: Browser, sandbox: Sandbox, url: str) -> None:
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


async def test_a_photo_is_shown_with_its_caption_and_buttons_and_large_on_a_click(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    files = {"photo": ("cpu.png", png(300, 200))}
    caption = {"caption": "<b>cpu</b> of db-1", "parse_mode": "HTML", "reply_markup": ACKNOWLEDGE}
    await uploads(bot, "sendPhoto", files, chat_id=started(sandbox), **caption)
    visitor = await visit(browser, url)
    bubble = visitor.bubble("cpu of db-1")
    await expect(bubble.locator("strong")).to_have_text("cpu")
    await expect(bubble.get_by_role("button", name="Acknowledge")).to_be_visible()
    assert await bubble.locator("img").evaluate(IS_LOADED) == 300
    await bubble.get_by_role("button", name="Show the photo").click()
    viewer = visitor.page.get_by_role("dialog", name="Photo")
    await expect(viewer).to_contain_text("cpu of db-1")
    await visitor.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    assert [address for address in visitor.asked if not address.startswith((url, "data:"))] == []
    assert visitor.complaints == []


async def test_a_covered_photo_is_shown_on_a_click(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    files = {"photo": ("cpu.png", png())}
    await uploads(bot, "sendPhoto", files, chat_id=started(sandbox), has_spoiler=True)
    visitor = await visit(browser, url)
    await visitor.page.get_by_role("button", name="Hidden photo: show it").click()
    await expect(visitor.page.get_by_role("button", name="Show the photo")).to_be_visible()
    await expect(visitor.page.get_by_role("dialog", name="Photo")).to_be_hidden()


@pytest.mark.parametrize("count", [2, 3, 7, 10])
async def test_an_album_is_one_bubble_with_all_its_photos(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot, count: int
) -> None:
    files = {f"p{n}": (f"{n}.png", png(100 + 20 * n, 100)) for n in range(count)}
    items: list[dict[str, object]] = [{"type": "photo", "media": f"attach://{name}"} for name in files]
    items[-1]["caption"] = "what happened in the night"
    await uploads(bot, "sendMediaGroup", files, chat_id=started(sandbox), media=items)
    visitor = await visit(browser, url)
    await expect(visitor.page.locator("#bubbles .msg")).to_have_count(2)
    bubble = visitor.bubble("what happened in the night")
    await expect(bubble.locator(".grid .photo img")).to_have_count(count)
    frames = [await photo.bounding_box() for photo in await bubble.locator(".photo").all()]
    assert all(frame and frame["width"] > 40 and frame["height"] > 40 for frame in frames)
    assert visitor.complaints == []


async def test_an_arriving_album_grows_in_its_bubble(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    chat_id = started(sandbox)
    visitor = await visit(browser, url)
    await expect(visitor.bubble("/start")).to_be_visible()
    files = {name: (f"{name}.txt", b"x") for name in "abc"}
    items = [{"type": "document", "media": f"attach://{name}", "caption": f"file {name}"} for name in files]
    await uploads(bot, "sendMediaGroup", files, chat_id=chat_id, media=items)
    await expect(visitor.page.locator("#bubbles .msg .file")).to_have_count(3)
    await expect(visitor.page.locator("#bubbles .msg")).to_have_count(2)
    await expect(visitor.bubble("file a").locator(".words")).to_have_text(["file a", "file b", "file c"])


async def test_a_document_is_downloaded_under_its_name(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    files = {"document": ("Bericht.csv", b"a,b\n" * 500)}
    await uploads(bot, "sendDocument", files, chat_id=started(sandbox), caption="the *report*", parse_mode="Markdown")
    visitor = await visit(browser, url)
    bubble = visitor.bubble("the report")
    await expect(bubble.locator(".about small")).to_have_text("2 kB")
    async with visitor.page.expect_download() as downloading:
        await bubble.get_by_role("link", name="Bericht.csv").click()
    download = await downloading.value
    assert download.suggested_filename == "Bericht.csv"
    assert (await download.path()).read_bytes() == b"a,b\n" * 500


async def test_copy_buttons_copy_to_the_clipboard(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    keys = {"inline_keyboard": [[{"text": "Host", "copy_text": {"text": "db-1.example.org"}}]]}
    text = '<pre><code class="language-sh">df -h</code></pre>then <code>sync</code>'
    await bot.sends(started(sandbox), text, parse_mode="HTML", reply_markup=keys)
    visitor = await visit(browser, url)
    await visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    toast = visitor.page.get_by_role("status")
    await visitor.presses("Host")
    await expect(toast.filter(has_text="Text copied")).to_be_visible()
    assert await visitor.page.evaluate(CLIPBOARD) == "db-1.example.org"
    await visitor.presses("Copy the code")
    await expect(toast.filter(has_text="Code copied")).to_be_visible()
    assert await visitor.page.evaluate(CLIPBOARD) == "df -h"
    await visitor.bubble("then").get_by_text("sync").click()
    await expect(toast.filter(has_text="Text copied")).to_be_visible()
    assert await visitor.page.evaluate(CLIPBOARD) == "sync"


async def test_a_long_quote_is_folded_until_it_is_opened(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    chat_id = started(sandbox)
    lines = "\n".join(f"line {n}" for n in range(20))
    await bot.sends(chat_id, f"<blockquote expandable>{lines}</blockquote>", parse_mode="HTML")
    await bot.sends(chat_id, "<blockquote expandable>short</blockquote>", parse_mode="HTML")
    visitor = await visit(browser, url)
    unfold = visitor.page.get_by_role("button", name="Unfold the quote")
    await expect(unfold).to_have_count(1)
    folded = await visitor.bubble("line 0").bounding_box()
    await unfold.click()
    unfolded = await visitor.bubble("line 0").bounding_box()
    assert folded and unfolded and unfolded["height"] > 2 * folded["height"]
    await expect(visitor.page.get_by_role("button", name="Fold the quote")).to_be_visible()


async def test_silence_links_and_answers_are_marked(browser: Browser, sandbox: Sandbox, url: str, bot: Bot) -> None:
    chat_id = started(sandbox)
    keys = {"inline_keyboard": [[{"text": "Open", "url": "https://example.org/g"}]]}
    message_id = await bot.sends(chat_id, "quiet https://example.org/a", disable_notification=True, reply_markup=keys)
    plain = {"link_preview_options": {"is_disabled": True}, "reply_parameters": {"message_id": message_id}}
    await bot.sends(chat_id, "loud https://example.org/b", **plain)
    visitor = await visit(browser, url)
    await expect(visitor.page.get_by_label("Sent without a sound")).to_have_count(1)
    await expect(visitor.page.locator(".preview")).to_have_count(1)
    await expect(visitor.page.locator(".preview")).to_contain_text("example.org")
    link = visitor.bubbles.get_by_role("link", name="Open")
    await expect(link).to_have_attribute("href", "https://example.org/g")
    await expect(visitor.bubble("loud").locator(".reply")).to_contain_text("quiet")


async def test_markup_in_captions_names_and_languages_stays_text(
    browser: Browser, sandbox: Sandbox, url: str, bot: Bot
) -> None:
    chat_id = started(sandbox)
    entities = [{"type": "pre", "offset": 0, "length": 4, "language": HOSTILE}]
    await uploads(bot, "sendDocument", {"document": (HOSTILE, b"x")}, chat_id=chat_id, caption=HOSTILE)
    await uploads(bot, "sendPhoto", {"photo": ("x.png", png())}, chat_id=chat_id, caption=HOSTILE)
    await bot.sends(chat_id, "code", entities=entities)
    visitor = await visit(browser, url)
    await visitor.page.get_by_role("button", name="Show the photo").click()
    await expect(visitor.page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    await expect(visitor.page.locator(".block-head", has_text=HOSTILE)).to_be_visible()
    await expect(visitor.page.locator("#bubbles img, #viewer img")).to_have_count(2)
    assert "owned" not in await visitor.page.title()
    assert visitor.complaints == []
