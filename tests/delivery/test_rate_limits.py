"""Telegram's rate limits: never exceeded and hardly wasted, with any figures."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.config.model import RateLimitsConfig
from notifybot.delivery import rate_limits as figures
from notifybot.delivery.rate_limits import CHAT_BURST, ChatPaces, RateLimit, backoff, rate_limits

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
GAPS = st.lists(st.integers(0, 3_000_000), min_size=1, max_size=150)
"""Microseconds between callers."""


def calls(limit: RateLimit, arrivals: Sequence[datetime]) -> list[datetime]:
    """Return when callers who arrive at these times may call, in order, each as soon as the limit allows."""
    made: list[datetime] = []
    pace = None
    now = START
    for arrival in arrivals:
        now = max(now, arrival)
        now = max(now, limit.next_allowed(pace, now))
        pace = limit.after_call(pace, now)
        made.append(now)
    return made


def after(gaps: Sequence[int]) -> list[datetime]:
    found = [START]
    for gap in gaps:
        found.append(found[-1] + timedelta(microseconds=gap))
    return found


def most_in_any(span: timedelta, made: Sequence[datetime]) -> int:
    """Return the highest number of calls in any half-open `span`."""
    return max(bisect_left(made, moment + span) - index for index, moment in enumerate(made))


def usual() -> tuple[RateLimit, RateLimit, RateLimit, RateLimit]:
    limits = rate_limits()
    return limits.overall, limits.chat, limits.group, limits.group_quiet


def test_the_config_has_telegrams_own_figures_by_default() -> None:
    assert RateLimitsConfig() == RateLimitsConfig(
        overall_per_second=figures.OVERALL_PER_SECOND,
        chat_per_second=figures.CHAT_PER_SECOND,
        group_per_minute=figures.GROUP_PER_MINUTE,
    )


@pytest.mark.parametrize(
    ("is_group", "is_alert", "in_a_minute"),
    [(True, True, 20), (True, False, 15), (False, True, 60), (False, False, 60)],
)
def test_each_chat_keeps_its_limits(is_group: bool, is_alert: bool, in_a_minute: int) -> None:
    limits, paces, now, made = rate_limits(), ChatPaces(None, None, None), START, 0
    while now < START + MINUTE:
        paces = limits.after_call(paces, now, is_group=is_group, is_alert=is_alert)
        now, made = max(now, limits.next_allowed(paces, now, is_group=is_group, is_alert=is_alert)), made + 1
    assert in_a_minute * 0.8 <= made <= in_a_minute + CHAT_BURST


def test_other_posts_leave_a_quarter_of_a_group_to_alerts() -> None:
    limits, paces, now = rate_limits(), ChatPaces(None, None, None), START
    for _ in range(100):
        now = max(now, limits.next_allowed(paces, now, is_group=True, is_alert=False))
        paces = limits.after_call(paces, now, is_group=True, is_alert=False)
    quiet = limits.next_allowed(paces, now, is_group=True, is_alert=False)
    assert limits.next_allowed(paces, now, is_group=True, is_alert=True) < quiet


@given(GAPS)
def test_never_more_than_thirty_calls_in_any_second(gaps: list[int]) -> None:
    assert most_in_any(SECOND, calls(usual()[0], after([gap // 100 for gap in gaps]))) <= 30


@given(GAPS)
def test_never_more_than_twenty_calls_into_a_group_in_any_minute(gaps: list[int]) -> None:
    assert most_in_any(MINUTE, calls(usual()[2], after(gaps))) <= 20


@given(GAPS)
def test_a_quarter_of_a_group_is_left_to_alerts(gaps: list[int]) -> None:
    assert most_in_any(MINUTE, calls(usual()[3], after(gaps))) <= 15


@given(GAPS, st.integers(1, 60))
def test_a_chat_gets_a_call_a_second_and_a_short_burst(gaps: list[int], seconds: int) -> None:
    assert most_in_any(SECOND * seconds, calls(usual()[1], after(gaps))) <= seconds - 1 + CHAT_BURST


def test_a_constant_queue_reaches_the_overall_rate() -> None:
    made = calls(usual()[0], [START] * 3001)
    assert 3000 / (made[-1] - made[0]).total_seconds() >= 0.95 * 30


def test_a_constant_queue_uses_a_groups_whole_first_minute() -> None:
    made = calls(usual()[2], [START] * 21)
    assert made[19] < START + MINUTE <= made[20]


def test_after_a_rest_calls_go_out_at_once() -> None:
    for limit in usual():
        rested = calls(limit, [START, START + timedelta(hours=1)])
        assert rested == [START, START + timedelta(hours=1)]


def test_a_chat_that_was_never_called_is_open() -> None:
    assert all(limit.next_allowed(None, START) == START for limit in usual())


FIGURES = st.floats(0.01, 1000)


@settings(max_examples=300)
@given(FIGURES, st.floats(0.01, 60_000), GAPS)
def test_odd_figures_are_kept_too(per_second: float, per_minute: float, gaps: list[int]) -> None:
    limits = rate_limits(overall_per_second=per_second, chat_per_second=per_second, group_per_minute=per_minute)
    arrivals = after([int(gap / per_second) for gap in gaps])
    assert most_in_any(SECOND, calls(limits.overall, arrivals)) <= math.ceil(per_second)
    assert most_in_any(MINUTE, calls(limits.group, arrivals)) <= max(1, per_minute)
    assert most_in_any(MINUTE, calls(limits.group_quiet, arrivals)) <= max(1, per_minute * 0.75)


@pytest.mark.parametrize("per_second", [0.01, 0.1, 0.5])
def test_less_than_one_call_per_second_is_kept_over_a_longer_time(per_second: float) -> None:
    limits = rate_limits(overall_per_second=per_second, chat_per_second=1, group_per_minute=20)
    made = calls(limits.overall, [START] * 11)
    assert made[-1] - made[0] >= timedelta(seconds=10 / per_second)


@pytest.mark.parametrize("per_minute", [0.01, 0.5, 1, 2, 3, 4, 5, 20, 60, 60_000])
def test_a_group_may_always_be_called_eventually(per_minute: float) -> None:
    limits = rate_limits(overall_per_second=30, chat_per_second=1, group_per_minute=per_minute)
    for limit in (limits.group, limits.group_quiet):
        made = calls(limit, [START] * 4)
        assert made[-1] - made[0] <= 4 * MINUTE / min(1, per_minute * 0.75)


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_back_off_is_between_a_second_and_a_minute_plus_or_minus_a_quarter(errors: int, jitter: float) -> None:
    assert timedelta(seconds=0.75) <= backoff(errors, jitter=jitter) <= timedelta(seconds=75)


@pytest.mark.parametrize(("errors", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (100, 60)])
def test_a_back_off_doubles_up_to_a_minute(errors: int, seconds: int) -> None:
    assert backoff(errors, jitter=0.5) == timedelta(seconds=seconds)
    assert backoff(errors, jitter=0) == timedelta(seconds=seconds * 0.75)


@pytest.mark.parametrize("limit", usual())
def test_a_pace_does_not_delay_calls_after_the_clock_was_set_back(limit: RateLimit) -> None:
    pace = None
    for _ in range(int(limit.burst) + 1):
        pace = limit.after_call(pace, START)
    earlier = START - timedelta(hours=1)
    assert limit.next_allowed(pace, earlier) <= earlier
    assert limit.after_call(pace, earlier) == earlier + limit.interval


@given(GAPS, st.integers(0, 3))
def test_no_pace_that_calls_have_made_is_dropped(gaps: list[int], kind: int) -> None:
    """This includes calls that are claimed an interval ahead."""
    limit, pace, now = usual()[kind], None, START
    for gap in gaps:
        now += timedelta(microseconds=gap)
        now = max(now, limit.next_allowed(pace, now) - limit.interval)
        later = limit.after_call(pace, now)
        assert pace is None or later >= pace + limit.interval
        pace = later
