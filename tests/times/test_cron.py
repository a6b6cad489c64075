"""Cron expressions: invalid ones, and the days and times of valid ones."""

from datetime import date, time

import pytest

from notifybot.times.cron import falls_on, parse_cron, times_of_day


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("0  9 * JAN Mon-FRI", "0 9 * jan mon-fri"),
        ("*/15 8-18/2 1,15 * *", "*/15 8-18/2 1,15 * *"),
    ],
)
def test_an_expression_is_spelled_out_in_five_fields(text: str, fields: str) -> None:
    assert parse_cron(text) == fields


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 9 * *", "a cron expression has five fields"),
        ("0 0 9 * * *", "a cron expression has five fields"),
        ("1,60 * * * *", "'60' is not a valid minute (use 0-59, in ascending order)"),
        ("0 24 * * *", "'24' is not a valid hour (use 0-23"),
        ("0 9 0 * *", "'0' is not a valid day of the month (use 1-31"),
        ("0 9 * 13 *", "'13' is not a valid month (use 1-12 or jan-dec"),
        ("0 9 * * fri-mon", "'fri-mon' is not a valid day of the week (use 0-7 or sun-sat"),
        ("*/0 * * * *", "'*/0' is not a valid minute"),
        ("1, * * * *", "'' is not a valid minute"),
        ("0 9 L * *", "'l' is not a valid day of the month"),
        ("0 9 * * fri#2", "'fri#2' is not a valid day of the week"),
        ("0 9 30 2 *", "this day never comes"),
        ("0 9 30 2 */2", "this day never comes"),
        ("0 9 31 4,6 *", "this day never comes"),
    ],
)
def test_an_invalid_expression_is_refused_with_its_field(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_cron(text)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 9 * * mon", [5, 12, 19, 26]),
        ("0 9 13 * *", [13]),
        ("0 9 13 * fri", [2, 9, 13, 16, 23, 30]),  # both are given: either will do
        ("0 9 */7 * thu", [1, 8, 15, 22, 29]),  # one starts with a star: both must match
        ("0 9 * 2 *", []),
        ("0 9 * * 0,7", [4, 11, 18, 25]),
    ],
)
def test_days_follow_the_rule_of_cron(cron: str, days: list[int]) -> None:
    january = [date(2026, 1, day) for day in range(1, 32)]
    assert [day.day for day in january if falls_on(cron, day)] == days


def test_times_of_a_day_are_in_order() -> None:
    assert times_of_day("30,0 20,8 * * *") == (time(8), time(8, 30), time(20), time(20, 30))
