"""`notifybot messages snooze`, and moments as people type them."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from notifybot.cli.moments import read_moment
from tests.cli.standin import StandIn, a_message, message_id
from tests.cli.test_commands import assert_two_lines, run

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 1, 14, 0, tzinfo=ZONE)


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    """The machine's own zone, which moments without an offset are in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "XXX-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("18:30", "2026-03-01T18:30+02:00"),
        ("9:05", "2026-03-02T09:05+02:00"),
        ("14:00", "2026-03-02T14:00+02:00"),
        ("tomorrow 09:00", "2026-03-02T09:00+02:00"),
        (" tomorrow  23:59 ", "2026-03-02T23:59+02:00"),
        ("2026-04-01 08:00", "2026-04-01T08:00+02:00"),
        ("2026-04-01T08:00Z", "2026-04-01T08:00+00:00"),
    ],
)
def test_a_moment_is_read_as_it_is_typed(typed: str, meant: str) -> None:
    assert read_moment(typed, NOW) == datetime.fromisoformat(meant)


@pytest.mark.parametrize("typed", ["", "soon", "24:00", "tomorrow", "tomorrow 9", "yesterday 09:00", "18:30:00 x"])
def test_what_is_no_moment_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        read_moment(typed, NOW)


def test_an_alert_is_snoozed_for_a_span(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    code, out, _ = run(capsys, "messages", "snooze", message_id(1)[:13], "--for", "1h")

    assert (code, daemon.bodies()) == (0, [{"for": "1h"}])
    assert out.startswith("snoozed until ") and out.endswith(f": {message_id(1)}\n")


def test_an_alert_is_snoozed_until_a_moment(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    code, out, _ = run(capsys, "messages", "snooze", message_id(1), "--until", "2099-01-31 18:30")

    assert (code, daemon.bodies()) == (0, [{"until": "2099-01-31T18:30:00+02:00"}])
    assert out == f"snoozed until 2099-01-31 18:30: {message_id(1)}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "One of the arguments --for --until is required."),
        (("--for", "1h", "--until", "18:30"), "not allowed with argument"),
        (("--until", "soon"), "`soon` is no time like 18:30, tomorrow 09:00 or 2026-01-31 18:30"),
        (("--until", "2001-01-31 18:30"), "`2001-01-31 18:30` is over"),
    ],
)
def test_wrong_usage_is_two_lines(
    words: tuple[str, ...], error: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "messages", "snooze", message_id(1), *words)

    assert code == 2
    assert error in assert_two_lines(err)[0]


def test_show_says_until_when_and_by_whom(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    snoozed = {"snoozed_until": "2099-01-31T18:30:00Z", "snoozed_by": {"name": "Anna", "username": "anna"}}
    daemon.add(a_message(1, **snoozed))

    _, out, _ = run(capsys, "messages", "show", message_id(1))

    assert "snoozed       until 2099-01-31 20:30:00" in out
    assert "by Anna (@anna)" in out
