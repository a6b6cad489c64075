"""Throttling of wrong credentials: attempts per address, and what is remembered."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.auth import throttle
from notifybot.auth.throttle import BURST, COUNTED_FOR, INTERVAL, VALID_FOR, WARN_FROM, Throttle
from notifybot.errors import TooManyRequests

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GUESSER = "203.0.113.7"


def guess(guesses: Throttle, times: int, *, address: str = GUESSER, at: datetime = NOW) -> int:
    """Try wrong credentials, and return the number that was checked."""
    looked_at = 0
    for number in range(times):
        try:
            guesses.check(address, f"guess {number}", at)
        except TooManyRequests:
            continue
        guesses.note_invalid(address, at)
        looked_at += 1
    return looked_at


def test_only_the_first_few_of_many_guesses_are_checked() -> None:
    assert guess(Throttle(), 1000) == BURST


def test_later_guesses_are_checked_at_a_slow_rate() -> None:
    guesses = Throttle()
    guess(guesses, 1000)
    assert [guess(guesses, 10, at=NOW + INTERVAL * turn) for turn in range(1, 4)] == [1, 1, 1]


def test_retry_after_is_correct() -> None:
    guesses = Throttle()
    guess(guesses, BURST)
    with pytest.raises(TooManyRequests) as refused:
        guesses.check(GUESSER, "one more", NOW)
    guesses.check(GUESSER, "one more", NOW + timedelta(seconds=refused.value.retry_after_s))


def test_other_addresses_are_not_throttled() -> None:
    guesses = Throttle()
    guess(guesses, 1000)
    assert guess(guesses, 5, address="203.0.113.8") == 5


def test_one_ipv6_network_is_one_guesser() -> None:
    guesses = Throttle()
    looked_at = [guess(guesses, 1, address=f"2001:db8::{number:x}") for number in range(100)]
    assert sum(looked_at) == BURST
    assert guess(guesses, 1, address="2001:db8:0:1::1") == 1


def test_a_recently_valid_credential_is_still_checked_during_guessing() -> None:
    guesses = Throttle()
    guesses.note_valid("right", NOW)
    guess(guesses, 1000)
    guesses.check(GUESSER, "right", NOW + VALID_FOR)
    guess(guesses, 1000, at=NOW + VALID_FOR)
    with pytest.raises(TooManyRequests):
        guesses.check(GUESSER, "right", NOW + VALID_FOR + timedelta(seconds=1))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_ADDRESSES", 10)
    monkeypatch.setattr(throttle, "MAX_VALID", 10)
    guesses = Throttle()
    for number in range(1000):
        guesses.note_invalid(f"10.0.{number // 256}.{number % 256}", NOW)
        guesses.note_valid(f"token {number}", NOW)
    assert len(guesses._penalties) == len(guesses._valid) == 10


def test_the_warning_about_many_guesses_expires() -> None:
    guesses = Throttle()
    guess(guesses, WARN_FROM - 1)
    assert guesses.warning(NOW) is None
    guess(guesses, 1)
    warning = guesses.warning(NOW)
    assert warning is not None and GUESSER in warning and str(WARN_FROM) in warning
    assert guesses.warning(NOW + COUNTED_FOR + timedelta(seconds=1)) is None
