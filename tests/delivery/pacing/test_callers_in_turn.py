"""Callers take turns: a flood of one delays another's alert by seconds at most. Telegram's limits hold throughout."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from notifybot.messages.new_message import NewMessage
from notifybot.recipients.address import recipient_of
from tests.stories.places import Place
from tests.stories.world import World

FLOOD = 3000
WITHIN_S = 5
INVENTED = [str(-1_000_000_000_000 - number) for number in range(FLOOD)]


async def floods(world: World, caller: str, chats: Sequence[str]) -> None:
    """Have a caller send an alert to each of these chats, all at once."""
    hour = timedelta(hours=1)
    alerts = [
        NewMessage(caller, "probe", (recipient_of(chat),), f"disk {number} full", None, True, hour, hour)
        for number, chat in enumerate(chats)
    ]
    await asyncio.gather(*map(world.runtime.batcher.accept, alerts))


async def shown_after(world: World, place: Place, text: str) -> int:
    """Return after how many seconds of the story this place shows the text."""
    for seconds in range(WITHIN_S * 4):
        if any(text in shown for shown in place.texts):
            return seconds
        await world.passes(seconds=1)
    raise AssertionError(f"{text!r} was not shown within {WITHIN_S * 4} s")


def waiting(world: World, caller: str) -> int:
    ((count,),) = world.rows(
        "SELECT count(*) FROM deliveries JOIN messages ON messages.id = message_id "
        "WHERE status = 'waiting' AND account = ?",
        caller,
    )
    return int(count)


@pytest.mark.slow_because("accepts 3,000 alerts")
async def test_alerts_to_invented_chats_do_not_delay_the_alert_of_another_caller(paced: World) -> None:
    ops = paced.group("Ops")
    await floods(paced, "mallory", INVENTED)
    await paced.passes(seconds=2)

    await paced.alert("database down", to=ops, priority="critical")

    assert await shown_after(paced, ops, "database down") <= 1
    assert waiting(paced, "mallory") > FLOOD - 200


async def test_of_invented_chats_one_call_a_caller_is_in_flight(unlimited: World) -> None:
    hanging = unlimited.sandbox.fault("hang", method="sendMessage")
    for caller in ("mallory", "trudy"):
        await floods(unlimited, caller, [f"{chat}{len(caller)}" for chat in INVENTED[:40]])
    await unlimited.sees(lambda: hanging.hits == 2, "one call of each hangs")

    await unlimited.alert("database down", to=unlimited.group("Ops"))

    await unlimited.sees(lambda: hanging.hits == 3, "a third caller's call is made")
    assert unlimited.rows("SELECT last_caller FROM chats WHERE claimed_post IS NOT NULL ORDER BY 1") == [
        ("mallory",),
        ("root",),
        ("trudy",),
    ]


async def test_a_caller_who_floods_a_group_shares_it_with_the_others(paced: World) -> None:
    ops = paced.group("Ops")
    await floods(paced, "mallory", [str(ops.id)] * 60)
    await paced.passes(seconds=10)

    await paced.alert("database down", to=ops)

    assert await shown_after(paced, ops, "database down") <= WITHIN_S
    assert waiting(paced, "mallory") > 40


@pytest.mark.slow_because("hundreds of calls")
async def test_two_callers_who_tell_the_same_chats_do_not_delay_a_third(paced: World, channels: list[Place]) -> None:
    chats = [str(place.id) for place in channels]
    await paced.knows(*channels)
    for caller in ("mallory", "trudy"):
        await floods(paced, caller, chats * 8)
    lead = waiting(paced, "trudy") - waiting(paced, "mallory")  # the first one began alone
    await paced.passes(seconds=3)

    await paced.alert("database down", to=channels[-1])

    assert await shown_after(paced, channels[-1], "database down") <= WITHIN_S
    assert abs(waiting(paced, "trudy") - waiting(paced, "mallory") - lead) <= 30  # 18 usually, of some 80 calls
    assert waiting(paced, "mallory") > 300


async def test_an_answer_to_a_command_comes_before_alerts(paced: World, channels: list[Place]) -> None:
    anna = await paced.subscriber("Anna")
    await paced.knows(*channels)
    await floods(paced, "mallory", [str(place.id) for place in channels] * 8)
    before = len(anna.texts)

    anna.says("/help")
    await paced.passes(seconds=1)

    assert len(anna.texts) == before + 1
    assert waiting(paced, "mallory") > 300
