"""A group's twenty calls per minute, and which calls count."""

from tests.stories.places import Place
from tests.stories.world import World

PER_MINUTE = 20


async def test_a_groups_budget_survives_restarts(paced: World) -> None:
    ops, begin = paced.group("Ops"), paced.clock.at
    for number in range(PER_MINUTE + 5):
        await paced.alert(f"disk {number} full", to=ops)

    for _ in range(3):
        await paced.passes(seconds=10)
        await paced.restarts()
    await paced.passes(
        seconds=59 - (paced.clock.at - begin).total_seconds()
    )  # a slow stop takes seconds of simulated time
    assert len(ops.texts) == PER_MINUTE
    await paced.passes(seconds=20)

    assert len(ops.texts) == PER_MINUTE + 5
    assert paced.refusals("sendMessage") == []


async def test_a_full_group_does_not_delay_other_chats(paced: World, channels: list[Place]) -> None:
    noisy = paced.group("Noise")
    for number in range(40):
        await paced.notice(f"news {number}", to=noisy)
    await paced.passes(seconds=20)

    await paced.notice("all is well", to=channels[0])
    await paced.passes(milliseconds=100)

    assert channels[0].texts == ["all is well"]


async def test_edits_count_in_a_groups_budget_and_answers_to_presses_do_not(paced: World) -> None:
    ops = paced.group("Ops")
    anna = paced.member(ops, "Anna")
    for number in range(15):
        await paced.alert(f"disk {number} full", to=ops)
    await paced.passes(seconds=50)
    posts = [await ops.receives(f"disk {number} full") for number in range(15)]

    for post in posts:
        assert await post.pressed(anna) == "Acknowledged."
    await paced.passes(seconds=90)

    assert all("Acknowledged by Anna" in post.text for post in posts)
    assert paced.refusals("editMessageText") == []
    edits = [call.at for call in paced.sandbox.calls.of("editMessageText")]
    assert edits[-1] - edits[0] > 30
