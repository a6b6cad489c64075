"""Priorities: alerts go first, and nothing starves."""

import pytest

from tests.stories.places import Place
from tests.stories.world import World

ALERTS = 60


async def test_a_notice_is_shown_in_a_chat_where_alerts_always_wait(paced: World, channels: list[Place]) -> None:
    chat = channels[0]
    await paced.alert("early", to=chat)
    await paced.notice("backup done", to=chat)
    for number in range(ALERTS):
        await paced.alert(f"disk {number} full", to=chat)

    await paced.passes(seconds=40)

    assert "backup done" in chat.texts
    assert len(chat.texts) < ALERTS


async def test_a_post_is_edited_in_a_chat_where_alerts_always_wait(paced: World) -> None:
    ops = paced.group("Ops", "channel")
    anna = paced.member(ops, "Anna")
    await paced.alert("early", to=ops)
    await paced.passes(seconds=5)
    post = await ops.receives("early")
    for number in range(10):
        await paced.alert(f"disk {number} full", to=ops)
    await post.pressed(anna)
    for number in range(10, ALERTS):
        await paced.alert(f"disk {number} full", to=ops)

    await paced.passes(seconds=40)

    assert "Acknowledged by Anna" in post.text
    assert len(ops.texts) < ALERTS


@pytest.mark.slow_because("hundreds of calls")
async def test_notices_are_shown_in_each_of_several_alternating_chats(paced: World, channels: list[Place]) -> None:
    chats = channels[:8]
    for chat in chats:
        await paced.alert("early", to=chat)
    await paced.passes(seconds=5)
    for chat in chats:
        await paced.notice("backup done", to=chat)
    for number in range(40):
        for chat in chats:
            await paced.alert(f"disk {number} full", to=chat)

    await paced.passes(seconds=25)

    assert all("backup done" in chat.texts for chat in chats)
    assert all(len(chat.texts) < 40 for chat in chats)
