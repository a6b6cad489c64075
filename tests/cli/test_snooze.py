"""`notifybot messages snooze`."""

import time
from collections.abc import Iterator

import pytest

from tests.cli.running import run
from tests.cli.standin import StandIn, a_message, message_id
from tests.cli.test_commands import assert_two_lines


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    """Set the machine's time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "EET-2")
        time.tzset()
        yield
    time.tzset()


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
        (("--until", "soon"), "`soon` is not a time."),
        (("--until", "2001-01-31 18:30"), "`2001-01-31 18:30` is in the past"),
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
