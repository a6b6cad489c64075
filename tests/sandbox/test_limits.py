"""Telegram's rate limits, bans, and calls during a ban."""

import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.rate_limits import Bucket, Limits, Window
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api, HandClock

CHAT, OTHER_CHAT = 1, 2


def test_a_window_lets_through_no_more_than_its_count_in_any_span() -> None:
    window = Window(count=3, seconds=10.0)
    for now in (0.0, 4.0, 8.0):
        assert window.wait(now) == 0
        window.take(now)
    assert window.wait(9.0) == pytest.approx(1.0)
    assert window.wait(10.0) == 0


def test_a_bucket_allows_a_burst_and_then_one_call_per_interval() -> None:
    bucket = Bucket(interval=1.0, burst=3)
    for _ in range(3):
        assert bucket.wait(100.0) == 0
        bucket.take(100.0)
    assert bucket.wait(100.0) == pytest.approx(1.0)
    assert bucket.wait(101.0) == 0
    bucket.take(101.0)
    assert bucket.wait(101.0) == pytest.approx(1.0)
    assert bucket.wait(103.0) == 0


def test_a_chat_accepts_one_message_per_second_indefinitely() -> None:
    limits = Limits()
    assert [limits.take(CHAT, float(second), is_group=False) for second in range(300)] == [0] * 300


def test_a_chat_accepts_a_short_burst() -> None:
    limits = Limits()
    earned = [limits.take(CHAT, 0.0, is_group=False) for _ in range(6)]
    assert earned == [0, 0, 0, 0, 0, 1]


def test_a_group_accepts_twenty_messages_per_minute() -> None:
    limits = Limits()
    earned = [limits.take(CHAT, second * 2.0, is_group=True) for second in range(21)]
    assert earned == [0] * 20 + [20]
    assert limits.take(CHAT, 60.0, is_group=True) == 0


def test_all_chats_together_accept_thirty_messages_per_second() -> None:
    limits = Limits()
    earned = [limits.take(chat, 0.5, is_group=False) for chat in range(31)]
    assert earned == [0] * 30 + [1]
    assert limits.take(99, 1.5, is_group=False) == 0


def test_a_refused_call_takes_nothing_from_the_other_limits() -> None:
    limits = Limits()
    for _ in range(100):
        limits.take(CHAT, 0.0, is_group=False)
    assert [limits.take(chat, 0.0, is_group=False) for chat in range(2, 27)] == [0] * 25


def test_switched_off_nothing_is_limited() -> None:
    limits = Limits(enabled=False)
    assert {limits.take(CHAT, 0.0, is_group=True) for _ in range(1000)} == {0}


def test_a_ban_of_a_chat_leaves_others_alone() -> None:
    limits = Limits()
    limits.ban(30, 0.0, chat_id=CHAT)
    assert limits.banned_for("sendMessage", OTHER_CHAT, 1.0, is_paced=True) == 0
    assert limits.calls_into_ban == 0


def test_a_call_into_a_ban_is_counted_and_prolongs_it() -> None:
    limits = Limits()
    limits.ban(30, 0.0, chat_id=CHAT)
    assert limits.banned_for("sendMessage", CHAT, 10.0, is_paced=True) == 21
    assert limits.banned_for("sendMessage", CHAT, 10.0, is_paced=True) == 22
    assert limits.calls_into_ban == 2
    assert limits.banned_for("sendMessage", CHAT, 32.0, is_paced=True) == 0


def test_calls_in_flight_when_a_global_ban_starts_do_not_count_against_the_bot() -> None:
    limits = Limits()
    limits.ban(30, 0.0)
    assert limits.banned_for("sendMessage", CHAT, 0.1, is_paced=True) == 30
    assert limits.calls_into_ban == 0
    limits.banned_for("sendMessage", CHAT, 0.3, is_paced=True)
    assert limits.calls_into_ban == 1


async def test_too_many_messages_are_refused_until_the_time_is_over(
    api: Api, anna: User, sandbox: Sandbox, clock: HandClock
) -> None:
    for number in range(5):
        await api("sendMessage", chat_id=anna.id, text=f"{number}")
    answer = await api("sendMessage", chat_id=anna.id, text="too fast")
    assert answer.refusal == "429 Too Many Requests: retry after 1"
    assert answer.body["parameters"] == {"retry_after": 1}
    clock.forward(1)
    assert (await api("sendMessage", chat_id=anna.id, text="in time")).status == 200
    assert sandbox.world.limits.calls_into_ban == 0


async def test_edits_count_and_answers_do_not(api: Api, anna: User, sandbox: Sandbox) -> None:
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    message_id = (await api("sendMessage", chat_id=anna.id, text="0", reply_markup=markup)).result["message_id"]
    for _ in range(10):
        query = sandbox.press(anna, sandbox.message(anna, message_id))
        assert (await api("answerCallbackQuery", callback_query_id=query)).status == 200
    statuses = [
        (await api("editMessageText", chat_id=anna.id, message_id=message_id, text=f"{n}")).status for n in range(1, 6)
    ]
    assert statuses == [200, 200, 200, 200, 429]


async def test_calls_into_a_ban_are_reported(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.fault("flood", chat=anna, retry_after=10)
    for _ in range(3):
        assert (await api("sendMessage", chat_id=anna.id, text="x")).status == 429
    state = (await api.get("/sandbox/state")).body
    assert state["calls_into_ban"] == 2
    assert state["bans"] == [{"chat_id": anna.id, "method": None, "until": sandbox.now() + 12}]
