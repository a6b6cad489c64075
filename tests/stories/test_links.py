"""Links and buttons survive whatever Telegram refuses: in the end they are in the text."""

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import World

URL = "https://example.org/run/7"
TEXT = f'disk <a href="{URL}">log</a> full'
BUTTONS = [{"text": "Graph", "url": "https://example.org/graph"}, {"text": "Host", "copy": "db1"}]
LINES = "Graph: https://example.org/graph\nHost: db1"
NO_BUTTONS = f"{LINES}\nTelegram refused the buttons. Send /open to acknowledge."
LINK, PLAIN = "disk log full", f"disk log ({URL}) full"


def urls_in(place: Place, world: World) -> set[str]:
    """Return the addresses of the links in the bot's posts."""
    entities = [entity for message in world.sandbox.messages(place.id) for entity in message.entities]
    return {str(entity["url"]) for entity in entities if entity["type"] == "text_link"}


@pytest.mark.parametrize(
    ("description", "times", "text", "buttons"),
    [
        ("ENTITIES_TOO_LONG", 1, PLAIN, [*OPEN, "Graph", "Host"]),
        ("can't parse entities: unsupported", 1, PLAIN, [*OPEN, "Graph", "Host"]),
        ("ENTITIES_TOO_LONG", 2, f"{PLAIN}\n\n{LINES}", OPEN),
        ("REPLY_MARKUP_TOO_LONG", 1, f"{LINK}\n\n{LINES}", OPEN),
        ("REPLY_MARKUP_TOO_LONG", 2, f"{LINK}\n\n{NO_BUTTONS}", []),
        ("BUTTON_URL_INVALID", 1, f"{LINK}\n\n{LINES}", OPEN),
        ("BUTTON_DATA_INVALID", 2, f"{LINK}\n\n{NO_BUTTONS}", []),
        ("BUTTON_TYPE_INVALID", 3, f"{PLAIN}\n\n{NO_BUTTONS}", []),
        ("inline keyboard button URL 'x' is invalid: Wrong HTTP URL", 1, f"{LINK}\n\n{LINES}", OPEN),
    ],
)
async def test_what_telegram_refuses_is_written_in_the_text(
    world: World, ops: Place, description: str, times: int, text: str, buttons: list[str]
) -> None:
    world.sandbox.fault(
        "error", method="sendMessage", times=times, error_code=400, description=f"Bad Request: {description}"
    )

    alert = await world.alert(TEXT, to=ops, parse_mode="HTML", buttons=BUTTONS)

    post = await ops.receives("disk")
    await alert.becomes("sent")
    assert (post.text, post.buttons) == (text, buttons)
    assert urls_in(ops, world) == ({URL} if LINK in text else set())
    assert (await alert.events()).count("reformatted") == times


async def test_buttons_that_are_refused_in_an_edit_are_written_too(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, buttons=BUTTONS)
    post = await ops.receives("disk full")
    description = "Bad Request: REPLY_MARKUP_TOO_LONG"
    world.sandbox.fault("error", method="editMessageText", times=1, error_code=400, description=description)

    await post.pressed(by=anna)

    await post.becomes("Acknowledged by Anna", LINES, buttons=[])
    assert (await alert.delivery(ops))["status"] == "shown"


async def test_long_addresses_are_spread_over_messages_before_telegram_refuses_them(world: World, ops: Place) -> None:
    urls = [f"https://example.org/{number}/{'a' * 1000}" for number in range(24)]
    content = "\n".join(f'<a href="{url}">run {number}</a>' for number, url in enumerate(urls))

    alert = await world.alert(content, to=ops, parse_mode="HTML")

    await alert.becomes("sent")
    assert world.refusals("sendMessage") == []
    assert urls_in(ops, world) == set(urls)
    assert len(ops.texts) == 3


async def test_the_file_of_a_long_text_has_the_addresses_of_its_links(world: World, ops: Place) -> None:
    content = "\n".join(f"[run {number}](https://example.org/{number})" for number in range(600))

    alert = await world.alert(content, to=ops, parse_mode="CommonMark")

    await alert.becomes("sent")
    (file,) = [message for message in world.sandbox.messages(ops.id) if message.media]
    written = world.sandbox.file_bytes(file).decode()
    assert all(f"run {number} (https://example.org/{number})" in written for number in range(600))


@pytest.mark.parametrize(
    ("mode", "content"),
    [
        ("HTML", '<a href="http://grafana:3000/d/1">graph</a>'),
        ("MarkdownV2", "[graph](http://grafana:3000/d/1)"),
        ("Markdown", "[graph](http://grafana:3000/d/1)"),
        ("CommonMark", "[graph](http://grafana:3000/d/1)"),
    ],
)
async def test_a_link_to_a_host_without_a_dot_is_written(world: World, ops: Place, mode: str, content: str) -> None:
    await world.notice(content, to=ops, parse_mode=mode)

    assert (await ops.receives("graph")).text == "graph (http://grafana:3000/d/1)"


async def test_mentions_and_tags_beside_links_cost_no_link(world: World, ops: Place) -> None:
    urls = [f"https://example.org/{number}" for number in range(60)]
    content = "\n".join(f'<a href="{url}">run</a> by @anna_b for #db{number}' for number, url in enumerate(urls))

    alert = await world.alert(content, to=ops, parse_mode="HTML")

    await alert.becomes("sent")
    assert urls_in(ops, world) == set(urls)
