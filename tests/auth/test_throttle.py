"""Throttling of wrong credentials: attempts per address, and what is remembered."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.auth import throttle
from notifybot.auth.throttle import BURST, COUNTED_FOR, INTERVAL, WARN_FROM, Throttle
from notifybot.errors import TooManyRequests

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GUESSER = "203.0.113.7"


def guess(
    guesses: Throttle, times: int, *, address: str = GUESSER, at: datetime = NOW, credential: str = "nb_guess"
) -> int:
    """Try wrong credentials, and return the number that got a plain refusal."""
    refused = 0
    for number in range(times):
        try:
            guesses.note_guess(address, f"{credential}{number}", at)
        except TooManyRequests:
            continue
        refused += 1
    return refused


def test_only_the_first_few_of_many_guesses_get_a_plain_refusal() -> None:
    assert guess(Throttle(), 1000) == BURST


def test_later_guesses_get_one_at_a_slow_rate() -> None:
    guesses = Throttle()
    guess(guesses, 1000)
    assert [guess(guesses, 10, at=NOW + INTERVAL * turn) for turn in range(1, 4)] == [1, 1, 1]


def test_retry_after_is_correct() -> None:
    guesses = Throttle()
    guess(guesses, BURST)
    with pytest.raises(TooManyRequests) as refused:
        guesses.note_guess(GUESSER, "nb_one more", NOW)
    guesses.note_guess(GUESSER, "nb_one more", NOW + timedelta(seconds=refused.value.retry_after_s))


def test_other_addresses_are_not_throttled() -> None:
    guesses = Throttle()
    guess(guesses, 1000)
    assert guess(guesses, 5, address="203.0.113.8") == 5


def test_one_ipv6_network_is_one_guesser() -> None:
    guesses = Throttle()
    looked_at = [guess(guesses, 1, address=f"2001:db8::{number:x}") for number in range(100)]
    assert sum(looked_at) == BURST
    assert guess(guesses, 1, address="2001:db8:0:1::1") == 1


def test_guessed_tokens_do_not_slow_wrong_jwts_down() -> None:
    guesses = Throttle()
    guess(guesses, 1000)
    assert guess(guesses, 5, credential="eyJhbGciOi") == 5


def test_all_other_credentials_are_one_kind() -> None:
    guesses = Throttle()
    assert sum(guess(guesses, 10, credential=f"{number:x}") for number in range(100)) == BURST


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_GUESSERS", 10)
    guesses = Throttle()
    for number in range(1000):
        guesses.note_guess(f"10.0.{number // 256}.{number % 256}", "nb_guess", NOW)
    assert len(guesses._penalties) == 10


def test_the_warning_about_many_guesses_expires() -> None:
    guesses = Throttle()
    guess(guesses, WARN_FROM - 1)
    assert guesses.warning(NOW) is None
    guess(guesses, 1)
    warning = guesses.warning(NOW)
    assert warning is not None and GUESSER in warning and str(WARN_FROM) in warning
    assert guesses.warning(NOW + COUNTED_FOR + timedelta(seconds=1)) is None
