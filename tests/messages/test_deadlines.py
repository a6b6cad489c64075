"""Deadlines of an alert that is reopened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifybot.messages.deadlines import begins_at, restarted
from notifybot.model.messages import Message
from notifybot.model.states import State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alert(**columns: Any) -> Message:
    usual = {
        "id": "m",
        "state": State.INITIATED,
        "is_alert": True,
        "content": "disk full",
        "recipients": [],
        "source": "s",
    }
    times = {"created_at": NOON, "escalate_at": NOON + 15 * MINUTE, "close_at": NOON + 60 * MINUTE}
    return Message(**{**usual, "account": "a", **times, **columns})


def test_each_deadline_keeps_its_span() -> None:
    later = NOON + timedelta(hours=5)
    moved = restarted(alert(remind_every_s=600, remind_at=NOON + 10 * MINUTE), later)
    assert moved == {
        "escalate_at": later + 15 * MINUTE,
        "close_at": later + 60 * MINUTE,
        "remind_at": later + 10 * MINUTE,
    }


def test_a_disabled_deadline_stays_disabled() -> None:
    assert set(restarted(alert(escalate_at=None, close_at=None), NOON + MINUTE).values()) == {None}


def test_an_escalation_that_was_brought_forward_comes_at_the_new_beginning() -> None:
    early = alert(created_at=NOON + 20 * MINUTE)
    assert restarted(early, NOON + 30 * MINUTE)["escalate_at"] == NOON + 30 * MINUTE


def test_without_a_step_left_the_last_escalation_stays() -> None:
    assert "escalate_at" not in restarted(alert(steps_left=0), NOON + MINUTE)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, 0),
        ({"send_at": NOON + 5 * MINUTE}, 5),
        ({"snoozed_until": NOON + 7 * MINUTE}, 7),
        ({"snoozed_until": NOON + 7 * MINUTE, "unacknowledged_at": NOON + 9 * MINUTE}, 9),
    ],
)
def test_deadlines_count_from_the_latest_beginning(columns: dict[str, datetime], expected: int) -> None:
    assert begins_at(alert(**columns)) == NOON + expected * MINUTE
