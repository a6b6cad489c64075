"""429s: affected chats, delays, and calls during a ban."""

from tests.stories.places import Place
from tests.stories.world import World


def refused(world: World) -> int:
    return len(world.refusals("sendMessage"))


async def test_three_banned_chats_do_not_block_the_others(paced: World, channels: list[Place]) -> None:
    for channel in channels[:3]:
        paced.sandbox.fault("flood", chat=channel.id, retry_after=60)
        await paced.notice("held", to=channel)
    await paced.passes(milliseconds=300)
    assert refused(paced) == 3

    await paced.notice("free", to=channels[3])
    await paced.passes(milliseconds=100)

    assert channels[3].texts == ["free"]


async def test_few_calls_go_into_a_long_ban_of_all_chats(paced: World, channels: list[Place]) -> None:
    paced.sandbox.fault("flood", method="sendMessage", retry_after=600)
    for channel in channels:
        await paced.notice("news", to=channel)

    await paced.passes(seconds=590)

    assert 3 <= refused(paced) <= 12


async def test_after_a_ban_of_all_chats_everything_is_delivered(paced: World, channels: list[Place]) -> None:
    paced.sandbox.fault("flood", method="sendMessage", retry_after=20)
    for channel in channels:
        await paced.notice("news", to=channel)

    await paced.passes(seconds=45)

    assert [channel.texts for channel in channels] == [["news"]] * len(channels)


async def test_a_ban_of_all_chats_survives_a_restart(paced: World, channels: list[Place]) -> None:
    paced.sandbox.fault("flood", method="sendMessage", retry_after=600)
    for channel in channels:
        await paced.notice("news", to=channel)
    await paced.passes(seconds=60)
    before = refused(paced)

    await paced.restarts()
    await paced.passes(seconds=10)

    assert refused(paced) <= before + 1


async def test_after_two_short_waits_in_a_row_all_chats_wait(paced: World, channels: list[Place]) -> None:
    paced.sandbox.fault("flood", method="sendMessage", retry_after=1)
    for channel in channels[:10]:
        await paced.notice("news", to=channel)

    await paced.passes(seconds=4)

    assert refused(paced) <= 4  # two more may be in flight when the second returns
    assert [channel.texts for channel in channels[:10]] == [["news"]] * 10
