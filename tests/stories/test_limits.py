"""Telegram's limits, enforced by the sandbox: respected in advance, and the most urgent messages go first."""

from datetime import timedelta
from itertools import pairwise

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World


async def test_sixty_notices_to_twenty_chats_go_out_within_three_seconds_without_a_429(another: MakeWorld) -> None:
    world = await with_limits(another)
    groups = [world.group(f"Group {n}") for n in range(20)]
    for n in range(3):
        for group in groups:
            await world.notice(f"report {n}", to=group)

    await world.passes(seconds=3)

    assert [len(group.texts) for group in groups] == [3] * 20
    assert_no_limit_was_met(world)


async def test_sixty_notices_to_one_group_take_their_time_and_never_meet_a_limit(another: MakeWorld) -> None:
    world = await with_limits(another)
    ops = world.group("Ops")
    for n in range(60):
        await world.notice(f"report {n}", to=ops)

    await world.passes(minutes=5)

    assert [text.splitlines()[0] for text in ops.texts] == [f"report {n}" for n in range(60)]
    assert_no_limit_was_met(world)


async def test_a_private_chat_gets_a_message_a_second(another: MakeWorld) -> None:
    world = await with_limits(another)
    anna = await world.subscriber("Anna")
    for n in range(20):
        await world.notice(f"report {n}", to=anna)

    await world.passes(seconds=19)

    assert anna.texts[1:] == [f"report {n}" for n in range(20)]
    assert_no_limit_was_met(world)


async def test_a_quarter_of_a_groups_budget_is_kept_for_alerts(another: MakeWorld) -> None:
    world = await with_limits(another)
    ops = world.group("Ops")
    for n in range(30):
        await world.notice(f"report {n}", to=ops)
    await world.passes(minutes=1)
    assert len(ops.texts) < 20

    for n in range(3):
        await world.alert(f"disk {n} full", to=ops)
    await world.passes(seconds=5)

    alerts = [text for text in ops.texts if "full" in text]
    assert len(alerts) == 3
    await world.passes(minutes=1)
    assert_no_limit_was_met(world)


async def test_alerts_go_before_notices_that_were_accepted_earlier(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    for n in range(5):
        await world.notice(f"report {n}", to=ops)
    await world.alert("disk full", to=ops)

    world.sandbox.clear_faults()
    await world.in_time(lambda: len(ops.texts) == 6, "all is delivered")

    first, *others = ops.texts
    assert "disk full" in first
    assert others == [f"report {n}" for n in range(5)]


async def test_replies_to_people_go_before_notices(another: MakeWorld) -> None:
    world = await with_limits(another)
    anna = await world.subscriber("Anna")
    for n in range(20):
        await world.notice(f"report {n}", to=anna)
    await world.is_quiet()
    waiting = len(anna.texts)

    anna.says("/help")
    await world.passes(seconds=2)

    assert "/open lists" in "".join(anna.texts[waiting : waiting + 2])


async def test_nobody_starves_behind_a_flood_of_alerts(another: MakeWorld) -> None:
    world = await with_limits(another)
    world.sandbox.fault("away")
    quiet = world.group("Quiet")
    notice = await world.notice("report", to=quiet)
    groups = [world.group(f"Group {n}") for n in range(50)]
    for n in range(2):
        for group in groups:
            await world.alert(f"disk {n} full", to=group, close_after="never", escalate_after="never")

    world.sandbox.clear_faults()
    await world.in_time(lambda: quiet.texts, "the notice is delivered")

    await notice.becomes("sent")
    sends = [call for call in world.sandbox.calls.of("sendMessage") if call.is_accepted]
    position = [call.chat_id for call in sends].index(quiet.id)
    assert position < 20


async def test_a_hanging_chat_does_not_block_the_others(world: World, ops: Place) -> None:
    other = world.group("Other")
    world.sandbox.fault("hang", method="sendMessage", chat=ops.id)
    await world.alert("hanging", to=ops)
    await world.sees(lambda: world.rows("SELECT 1 FROM chats WHERE claimed_post IS NOT NULL"), "the call is under way")

    for n in range(5):
        await world.alert(f"disk {n} full", to=other)

    for n in range(5):
        await other.receives(f"disk {n} full")
    assert ops.texts == []


async def test_one_call_at_a_time_goes_into_a_chat(world: World, ops: Place) -> None:
    world.sandbox.fault("slow", method="sendMessage", seconds=0.02)
    for n in range(10):
        await world.notice(f"report {n}", to=ops)

    for n in range(10):
        await ops.receives(f"report {n}")

    ids = [message.id for message in world.sandbox.messages(ops.id)]
    assert ops.texts == [f"report {n}" for n in range(10)]
    assert all(later - earlier == 1 for earlier, later in pairwise(ids))


async def with_limits(another: MakeWorld) -> World:
    world = await another(limits=True)
    await world.starts()
    return world


def assert_no_limit_was_met(world: World) -> None:
    assert world.refusals("sendMessage") == []
    assert world.sandbox.world.limits.calls_into_ban == 0


async def test_setting_the_clock_back_delays_no_message(world: World, ops: Place) -> None:
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    world.clock.at -= timedelta(hours=1)

    await world.alert("disk still full", to=ops)

    await world.in_time(lambda: len(ops.texts) == 2, "the second alert stands in the chat")
