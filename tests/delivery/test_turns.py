"""Turns: which lane is served next, and how many calls it gets."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.delivery.turns import Lane, Served, next_share, open_lanes
from notifybot.model.enums import Urgency

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REPLY, ALERT, HIGH, NOTICE = Urgency.REPLY, Urgency.ALERT, Urgency.HIGH, Urgency.NOTICE


def lane(urgency: Urgency, caller: str, *, is_new: bool = False, in_s: float = -1) -> Lane:
    return Lane(urgency, is_new, caller, NOW + timedelta(seconds=in_s))


def turns(lanes: list[Lane], count: int) -> str:
    """Return whose turns come, as `urgency:caller`, while all of these lanes have more."""
    served, order = Served(), []
    for _ in range(count):
        share = next_share(lanes, served, 1)
        served.note(share.lane)
        order.append(f"{Urgency(share.lane.urgency).name.lower()}:{share.lane.caller}{'?' * share.lane.is_new}")
    return " ".join(order)


@pytest.mark.parametrize(
    ("lanes", "order"),
    [
        ([lane(ALERT, "ann")], "alert:ann alert:ann alert:ann"),
        ([lane(ALERT, "bob"), lane(ALERT, "ann")], "alert:ann alert:bob alert:ann"),
        ([lane(ALERT, "cy"), lane(ALERT, "bob"), lane(ALERT, "ann")], "alert:ann alert:bob alert:cy"),
        ([lane(ALERT, "ann", is_new=True), lane(ALERT, "ann")], "alert:ann alert:ann? alert:ann"),
        ([lane(ALERT, "ann", is_new=True), lane(ALERT, "bob")], "alert:ann? alert:bob alert:ann?"),
        ([lane(NOTICE, "ann"), lane(ALERT, "bob")], "alert:bob alert:bob alert:bob"),
        ([lane(NOTICE, "ann"), lane(HIGH, "bob")], "high:bob high:bob high:bob"),
        ([lane(REPLY, ""), lane(ALERT, "bob")], "reply: alert:bob reply:"),
        ([lane(REPLY, ""), lane(NOTICE, "bob")], "reply: notice:bob reply:"),
        ([lane(REPLY, ""), lane(NOTICE, "bob"), lane(ALERT, "ann")], "reply: alert:ann reply:"),
        ([lane(REPLY, "")], "reply: reply: reply:"),
    ],
)
def test_callers_take_turns_within_one_urgency_and_answers_come_first(lanes: list[Lane], order: str) -> None:
    assert turns(lanes, 3) == order


@pytest.mark.parametrize(
    ("lanes", "room", "calls"),
    [
        ([lane(ALERT, "ann")], 8, 8),
        ([lane(ALERT, "ann"), lane(ALERT, "bob")], 8, 4),
        ([lane(ALERT, "ann"), lane(ALERT, "bob"), lane(ALERT, "cy")], 8, 3),
        ([lane(ALERT, "ann"), lane(NOTICE, "bob")], 8, 8),
        ([lane(ALERT, "ann", is_new=True)], 8, 1),
        ([lane(REPLY, ""), lane(ALERT, "ann")], 8, 1),
        ([lane(REPLY, "")], 8, 8),
        ([lane(ALERT, "ann"), lane(ALERT, "bob")], 1, 1),
    ],
)
def test_a_lane_gets_its_share_of_the_calls(lanes: list[Lane], room: int, calls: int) -> None:
    assert next_share(lanes, Served(), room).calls == calls


@pytest.mark.parametrize(
    ("waiting", "is_open"),
    [
        (lane(ALERT, "ann"), True),
        (lane(ALERT, "ann", in_s=0), True),
        (lane(ALERT, "ann", in_s=1), False),
        (lane(ALERT, "ann", is_new=True), True),
        (lane(ALERT, "busy"), True),
        (lane(ALERT, "busy", is_new=True), False),
        (lane(NOTICE, "busy", is_new=True), False),
        (lane(REPLY, ""), True),
    ],
)
def test_a_caller_with_a_call_in_flight_in_a_new_chat_begins_no_other_in_one(waiting: Lane, is_open: bool) -> None:
    assert (open_lanes([waiting], {"busy"}, now=NOW) == [waiting]) is is_open


def test_an_answer_whose_chat_has_to_wait_keeps_its_precedence() -> None:
    served, lanes = Served(), [lane(REPLY, ""), lane(ALERT, "ann")]

    served.note(lanes[0], has_called=False)

    assert next_share(lanes, served, 1).lane == lanes[0]
