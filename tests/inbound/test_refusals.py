"""Refusals are kept in bounds."""

from datetime import UTC, datetime

from notifybot.inbound.refusals import MAX_BODY, MAX_REFUSALS, Refusals

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_last_ones_are_kept_with_the_beginning_of_their_bodies() -> None:
    refusals = Refusals()
    for number in range(MAX_REFUSALS + 5):
        refusals.note("a", NOW.replace(minute=number), 400, f"reason {number}", b"\xff" + b"x" * 2 * MAX_BODY)

    found = refusals.of("a")

    assert [each.reason for each in found][:2] == ["reason 14", "reason 13"]
    assert len(found) == MAX_REFUSALS
    assert found[0].body == "\ufffd" + "x" * (MAX_BODY - 1)
    assert found[0].size == 2 * MAX_BODY + 1
    assert refusals.of("b") == []


def test_callers_without_the_secret_cannot_push_out_others() -> None:
    refusals = Refusals()
    refusals.note("a", NOW, 400, "no version", b"{}")
    for number in range(100):
        refusals.note("a", NOW.replace(minute=1), 401, f"wrong secret {number}", None)

    assert [each.reason for each in refusals.of("a")] == ["wrong secret 99", "no version"]
