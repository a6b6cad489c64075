"""`send --spool` and `notifybot spool`: what a user sees while the daemon is away, and after."""

import json
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.standin import StandIn, problem


@pytest.fixture
def away(daemon: StandIn) -> StandIn:
    """A daemon whose socket is not there until `back` is called."""
    daemon.path.rename(f"{daemon.path}.away")
    return daemon


def back(daemon: StandIn) -> None:
    Path(f"{daemon.path}.away").rename(daemon.path)


def contents(daemon: StandIn) -> list[object]:
    return [body.get("content") for body in daemon.bodies()]


def test_a_spooled_message_is_listed_and_sent_before_the_next(
    away: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "send", "--spool", "--to", "-100123", "first")
    assert (code, out.split(" (")[0]) == (0, "spooled: 1")
    assert err.startswith("warning: No notifybot daemon is running")
    assert "1   waiting" in run(capsys, "spool")[1]
    back(away)

    code, _, err = run(capsys, "send", "--to", "-100123", "second")

    assert (code, err) == (0, "from your spool: 1 handed over\n")
    assert contents(away) == ["first", "second"]
    assert run(capsys, "spool") == (0, "the spool is empty\n", "")


def test_a_later_message_does_not_overtake(away: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "send", "--spool", "--to", "-100123", "first")
    back(away)
    away.refuse = lambda: problem(500, "broken")
    run(capsys, "send", "--to", "-100123", "lost")
    away.refuse = None
    run(capsys, "spool", "flush")

    assert contents(away)[-1] == "first"


def test_without_the_option_nothing_is_kept(away: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "send", "--to", "-100123", "first")[0] == 1
    assert run(capsys, "spool", "list", "--json")[1] == '{\n  "messages": []\n}\n'


def test_flush_says_what_is_left_and_fails(away: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "send", "--spool", "--to", "-100123", "first")
    code, out, err = run(capsys, "spool", "flush")
    assert (code, out) == (1, "handed over: 0, still in the spool: 1\n")
    assert "No notifybot daemon is running" in err
    back(away)
    away.refuse = lambda: problem(403, "You may not send to -100123.")

    code, out, err = run(capsys, "spool", "flush")

    assert (code, out) == (1, "handed over: 0, still in the spool: 1\n")
    assert "warning: spool: message 1 was refused and is kept: You may not send to -100123." in err
    assert "refused" in run(capsys, "spool")[1]


def test_a_message_for_another_socket_waits_for_it(
    daemon: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "send", "--spool", "--socket", str(tmp_path / "other"), "--to", "-100123", "for the other")

    code, _, err = run(capsys, "spool", "flush")

    assert code == 1
    assert "1 message is still in the spool" in err
    assert contents(daemon) == []


def test_drop_deletes(away: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("a", "b", "c"):
        run(capsys, "send", "--spool", "--to", "-100123", text)

    assert run(capsys, "spool", "drop", "2") == (0, "dropped: 1\n", "")
    assert [each["about"] for each in json.loads(run(capsys, "spool", "list", "--json")[1])["messages"]] == ["a", "c"]
    assert run(capsys, "spool", "drop")[0] == 2
    assert run(capsys, "spool", "drop", "7")[0] == 2
    assert json.loads(run(capsys, "spool", "drop", "--all", "--json")[1]) == {"dropped": [1, 3]}


def test_a_message_that_cannot_be_kept_is_an_error(
    away: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("in the way")

    code, _, err = run(capsys, "send", "--spool", "--to", "-100123", "first")

    assert code == 1
    assert "cannot be kept" in err
