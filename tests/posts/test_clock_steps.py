"""How far the clock was set while no daemon ran."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.model.clock import KnownClock
from notifybot.posts.clock_steps import Reading, step_since

BOOT = datetime(2026, 3, 2, 6, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NONE = timedelta()


def known(ahead_s: float | None = None) -> KnownClock:
    return KnownClock(boot_id="a", booted_at=BOOT, seen_at=NOON, ahead_of_telegram_s=ahead_s)


@pytest.mark.parametrize(
    ("set_by", "step"),
    [
        (NONE, NONE),
        (timedelta(seconds=0.4), NONE),
        (timedelta(seconds=1), timedelta(seconds=1)),
        (-2 * HOUR, -2 * HOUR),
        (timedelta(days=9), timedelta(days=9)),
        (timedelta(days=-20000), timedelta(days=-20000)),
    ],
)
def test_within_one_boot_it_is_exact_whatever_time_the_daemon_was_down(set_by: timedelta, step: timedelta) -> None:
    reading = Reading(NOON + 3 * HOUR + set_by, "a", BOOT + set_by)
    assert step_since(known(), reading, NOON) == step


@pytest.mark.parametrize(
    ("now", "ahead_before_s", "ahead", "step"),
    [
        (NOON + HOUR, None, None, NONE),
        (NOON + HOUR, 0.0, None, NONE),
        (NOON + HOUR, None, 2 * HOUR, NONE),
        (NOON - HOUR, None, None, -HOUR),
        (NOON - 20000 * 24 * HOUR, None, None, -20000 * 24 * HOUR),
        (NOON + 2 * HOUR, 0.0, 2 * HOUR, 2 * HOUR),
        (NOON + 2 * HOUR, 7200.0, 2 * HOUR + timedelta(seconds=2), NONE),
        (NOON + 10 * MINUTE, 7200.0, NONE, -2 * HOUR),
        (NOON - HOUR, 0.0, -3 * HOUR, -3 * HOUR),
    ],
)
def test_after_a_reboot_it_is_the_change_against_telegram_or_at_least_no_step_into_the_past(
    now: datetime, ahead_before_s: float | None, ahead: timedelta | None, step: timedelta
) -> None:
    assert step_since(known(ahead_before_s), Reading(now, "b", now - MINUTE, ahead), NOON) == step


def test_the_newest_known_time_counts_if_the_clock_was_noted_before_it() -> None:
    newest = NOON + 4 * MINUTE
    assert step_since(known(), Reading(NOON + MINUTE, "b", NOON), newest) == -3 * MINUTE
