"""Allowances: how much a caller may send, when to retry, and who is named in /health."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.auth.allowance import MAX_ACCOUNTS, Allowances, Allowed
from notifybot.auth.permissions import Caller

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MESSAGES, ALERTS, BYTES = Allowed.MESSAGES, Allowed.ALERTS, Allowed.BYTES
ANN, BOB, ADMIN = Caller("ann", False), Caller("bob", False), Caller("root", True)
LIMITS = {MESSAGES: 6, ALERTS: 60, BYTES: 6000}
Use = tuple[float, Caller, Allowed, int]
"""Seconds after NOW, and what is taken."""


def used(*uses: Use) -> tuple[Allowances, list[int | None]]:
    allowances = Allowances(LIMITS)
    waits = [allowances.take(caller, kind, amount, NOW + timedelta(seconds=at)) for at, caller, kind, amount in uses]
    return allowances, waits


@pytest.mark.parametrize(
    ("uses", "wait"),
    [
        ([(0, ANN, MESSAGES, 1)] * 6, None),
        ([(0, ANN, MESSAGES, 1)] * 7, 10),
        ([*[(0, ANN, MESSAGES, 1)] * 6, (4, ANN, MESSAGES, 1)], 6),
        ([*[(0, ANN, MESSAGES, 1)] * 6, (10, ANN, MESSAGES, 1)], None),
        ([*[(0, ANN, MESSAGES, 1)] * 6, (60, ANN, MESSAGES, 1)], None),
        ([*[(0, ANN, MESSAGES, 1)] * 6, (0, ANN, ALERTS, 1)], None),
        ([*[(0, ANN, MESSAGES, 1)] * 6, (0, BOB, MESSAGES, 1)], None),
        ([(0, ADMIN, MESSAGES, 1)] * 100, None),
        ([(0, ANN, ALERTS, 1)] * 61, 1),
        ([(0, ANN, BYTES, 6000)], None),
        ([(0, ANN, BYTES, 3000)] * 3, 1),
        ([(0, ANN, BYTES, 12_000), (0, ANN, BYTES, 1)], 61),
        ([(0, ANN, BYTES, 12_000), (61, ANN, BYTES, 1)], None),
        ([(7200, ANN, MESSAGES, 1)] * 6 + [(0, ANN, MESSAGES, 1)], None),
    ],
)  # fmt: skip
def test_a_caller_above_the_allowance_waits_until_it_has_refilled(uses: list[Use], wait: int | None) -> None:
    assert used(*uses)[1][-1] == wait


@pytest.mark.parametrize(
    ("uses", "after_s", "warning"),
    [
        ([(0, ANN, MESSAGES, 1)] * 6, 0, None),
        ([(0, ANN, MESSAGES, 1)] * 8, 0, "ann (2 refused)."),
        ([(0, ANN, MESSAGES, 1)] * 8, 3500, "ann (2 refused)."),
        ([(0, ANN, MESSAGES, 1)] * 8, 3700, None),
        ([*[(0, ANN, MESSAGES, 1)] * 7, *[(0, BOB, ALERTS, 1)] * 65], 0, "bob (5 refused), ann (1 refused)."),
        ([(0, ADMIN, MESSAGES, 1)] * 8, 0, None),
    ],
)
def test_callers_who_were_limited_in_the_last_hour_are_named(
    uses: list[Use], after_s: float, warning: str | None
) -> None:
    found = used(*uses)[0].warning(NOW + timedelta(seconds=after_s))
    assert found == (None if warning is None else f"Callers over their allowance in the last hour: {warning}")


def test_only_so_many_accounts_are_remembered() -> None:
    allowances = Allowances(LIMITS)
    for number in range(MAX_ACCOUNTS + 1):
        for _ in range(7):
            allowances.take(Caller(f"account {number}", False), MESSAGES, 1, NOW)
    assert allowances.take(Caller("account 0", False), MESSAGES, 1, NOW) is None
    assert allowances.take(Caller("account 2", False), MESSAGES, 1, NOW) == 10
