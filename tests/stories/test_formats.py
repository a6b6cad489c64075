"""Formatting: parsed like Telegram's, split in the right places; bad markup never loses a text."""

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import World

BOLD = {
    "HTML": "a <b>bold</b> word",
    "MarkdownV2": "a *bold* word",
    "Markdown": "a *bold* word",
    "CommonMark": "a **bold** word",
}


@pytest.mark.parametrize(("mode", "text"), BOLD.items())
async def test_each_mode_is_shown_under_a_bold_title(world: World, ops: Place, mode: str, text: str) -> None:
    await world.notice(text, to=ops, parse_mode=mode, title="Disk")

    post = await ops.receives("a bold word")
    assert post.text == "Disk\na bold word"
    assert [(entity["type"], entity["offset"]) for entity in post.message.entities] == [("bold", 0), ("bold", 7)]


@pytest.mark.parametrize("text", ["a *bold* <b>word</b>", "1 < 2 && _x_"])
async def test_a_text_without_a_mode_is_shown_as_it_is(world: World, ops: Place, text: str) -> None:
    await world.notice(text, to=ops)

    assert (await ops.receives(text)).message.entities == []


@pytest.mark.parametrize(
    ("mode", "text"),
    [("HTML", "1 < 2 & <b>so"), ("MarkdownV2", "a *bold word"), ("MarkdownV2", "3. point."), ("Markdown", "a *bold")],
)
async def test_invalid_markup_is_sent_as_plain_text_and_the_timeline_says_so(
    world: World, ops: Place, mode: str, text: str
) -> None:
    alert = await world.alert(text, to=ops, parse_mode=mode)

    post = await ops.receives(text)
    assert post.text == text
    await alert.becomes("sent")
    assert mode in (await alert.tells("reformatted"))["detail"]


async def test_markup_that_telegram_refuses_is_resent_as_plain_text(world: World, ops: Place) -> None:
    world.sandbox.fault(
        "error", method="sendMessage", times=1, error_code=400, description="Bad Request: can't parse entities: x"
    )
    alert = await world.alert("a <b>bold</b> word", to=ops, parse_mode="HTML")

    post = await ops.receives("a bold word")
    await alert.becomes("sent")
    assert post.message.entities == []
    assert post.buttons == OPEN
    assert "plain text" in (await alert.tells("reformatted"))["detail"]


async def test_a_text_of_too_many_parts_goes_as_a_file_below_its_beginning(world: World, ops: Place) -> None:
    text = "".join(f"line {number}\n" for number in range(5000))
    anna = world.member(ops, "Anna")
    alert = await world.alert(text, to=ops)

    await alert.becomes("sent")
    beginning, file = [message for message in world.sandbox.messages(ops.id) if message.sender is world.sandbox.bot]
    assert beginning.text.startswith("line 0\nline 1\n")
    assert beginning.button_texts == OPEN
    assert file.media is not None
    assert world.sandbox.file_bytes(file).decode() == text
    post = await ops.receives("line 0")
    await post.pressed(by=anna)
    await post.becomes("Acknowledged by Anna", buttons=[])


async def test_a_button_that_telegram_refuses_is_written_in_the_text(world: World, ops: Place) -> None:
    world.sandbox.fault(
        "error", method="sendMessage", times=1, error_code=400, description="Bad Request: BUTTON_URL_INVALID"
    )
    buttons = [{"text": "Graph", "url": "https://example.org/"}, {"text": "Host", "copy": "db1"}]
    alert = await world.alert("disk 91 %", to=ops, buttons=buttons)

    post = await ops.receives("disk 91 %")
    await alert.becomes("sent")
    assert (post.text, post.buttons) == (
        "disk 91 %\n\nGraph: https://example.org/\nHost: db1",
        OPEN,
    )
    assert "their links in the text" in (await alert.tells("reformatted"))["detail"]


@pytest.mark.parametrize("url", ["http://grafana:3000/d/1", "http://localhost/", "https://example.org:99999/"])
async def test_a_button_with_a_url_that_telegram_refuses_is_written_in_the_text(
    world: World, ops: Place, url: str
) -> None:
    alert = await world.alert("disk 91 %", to=ops, buttons=[{"text": "Graph", "url": url}])

    post = await ops.receives("disk 91 %")
    await alert.becomes("sent")
    assert (post.text, post.buttons) == (f"disk 91 %\n\nGraph: {url}", OPEN)


async def test_buttons_of_the_caller_stand_below_acknowledge(world: World, ops: Place) -> None:
    buttons = [{"text": "Graph", "url": "https://example.org/"}, {"text": "Host", "copy": "db1"}]
    await world.alert("disk", to=ops, buttons=buttons)

    post = await ops.receives("disk")
    assert post.buttons == [*OPEN, "Graph", "Host"]


@pytest.mark.parametrize(("fields", "is_silent"), [({}, False), ({"silent": True}, True), ({"priority": "low"}, True)])
async def test_a_message_may_be_silent(world: World, ops: Place, fields: dict[str, object], is_silent: bool) -> None:
    await world.notice("disk", to=ops, **fields)

    assert (await ops.receives("disk")).message.is_silent == is_silent


async def test_a_topic_that_was_deleted_falls_back_to_the_chat(world: World) -> None:
    forum = world.group("Forum", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    await world.notice("first", to=forum, thread_id=topic)
    assert (await forum.receives("first")).message.thread_id == topic
    world.sandbox.delete_topic(forum.id, topic)

    notice = await world.notice("second", to=forum, thread_id=topic)

    assert (await forum.receives("second")).message.thread_id is None
    await notice.becomes("sent")


async def test_the_api_returns_the_appearance_of_a_message(world: World, ops: Place) -> None:
    look = {"parse_mode": "HTML", "priority": "high", "silent": True, "thread_id": None, "link_preview": True}
    notice = await world.notice("<b>x</b>", to=ops, data={"host": "db1"}, **look)

    message = await notice.now()
    assert {name: message[name] for name in look} == look
    assert (message["data"], message["content"]) == ({"host": "db1"}, "<b>x</b>")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("copy 10%\rcopy 50%\rcopy 100%", "copy 100%"),
        ("\x1b[1;31mFAILED\x1b[0m db1", "FAILED db1"),
        ("name\tsize\r\nvar\t48G", "name    size\nvar     48G"),
        ("\u202eA\u030angstro\u0308m\u2028x", "Ångström\nx"),
        ("\n  first\n    second\n", "\u00a0\u00a0first\n    second"),
        ("nul \x00 and \ud800", "nul ␀ and \ufffd"),
        ("\x1b[K", r"\x1b[K"),
        ("\ufeffmark\x07", "mark"),
    ],
)
async def test_a_text_is_shown_as_a_terminal_would_and_the_api_keeps_it(
    world: World, ops: Place, given: str, shown: str
) -> None:
    notice = await world.notice(given, to=ops)

    assert (await ops.receives(shown)).text == shown
    assert (await notice.now())["content"] == given.replace("\x00", "␀").replace("\ud800", "\ufffd")


async def test_the_lines_and_buttons_below_a_cleaned_text_are_right(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna \u202eA\u030a")
    alert = await world.alert("10%\r\x1b[1m100%\x1b[0m", to=ops, title="\x1b[31mBack\u202aup", parse_mode="Mono")

    post = await ops.receives("100%")
    await post.pressed(by=anna)
    await post.becomes("Acknowledged by Anna Å at", buttons=[])
    units = post.text.encode("utf-16-le")
    spans = [(str(each["type"]), 2 * _int(each["offset"]), 2 * _int(each["length"])) for each in post.message.entities]
    entities = [(kind, units[begin : begin + length].decode("utf-16-le")) for kind, begin, length in spans]
    assert entities[:2] == [("bold", "Backup"), ("pre", "100%")]
    assert entities[2][0] == "italic"
    assert entities[2][1].startswith("✅ Acknowledged by Anna")
    assert (await alert.now())["title"] == "\x1b[31mBack\u202aup"


async def test_every_part_of_an_indented_text_keeps_its_indentation(world: World, ops: Place) -> None:
    notice = await world.notice("".join(f"    line {number}\n" for number in range(600)), to=ops)

    await notice.becomes("sent")
    assert len(ops.texts) > 1
    assert all(text.startswith("\u00a0" * 4 + "line ") and "\n    line " in text for text in ops.texts)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
