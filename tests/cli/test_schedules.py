"""Delayed and recurring messages: `send --at` and `--every`, `schedules`, and the same from Python."""

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifybot.cli.times import zone_of_this_machine
from notifybot.client import Client, Refused
from tests.cli.running import run
from tests.cli.standin import CREATED, Json, StandIn, a_message, message_id
from tests.cli.test_commands import TO, assert_two_lines

FIRST, SECOND = "2099-03-28T08:00:00Z", "2099-03-29T07:00:00Z"
SCHEDULE = "0193f3a4-0001-7000-8000-0000000000aa"
PAUSED = "0193f3a4-0002-7000-8000-0000000000bb"


def a_schedule(id_: str = SCHEDULE, **fields: object) -> Json:
    message = a_message(7, content="look at the backups", title="Monday", status="scheduled", schedule_id=id_)
    return {
        "id": id_,
        "account": "alice",
        "repeat": "0 9 * * *",
        "time_zone": "Europe/Berlin",
        "created_at": CREATED,
        "begins_at": CREATED,
        "paused_at": None,
        "ended_at": None,
        "last_at": None,
        "runs": 12,
        "missed": 1,
        "next_times": [FIRST, SECOND],
        "message": message,
        **fields,
    }


@pytest.fixture
def repeating(daemon: StandIn) -> StandIn:
    """Run a daemon with a waiting and a paused schedule."""
    paused = a_schedule(PAUSED, paused_at=CREATED, next_times=[], message=None)
    daemon.canned = {
        "GET /api/schedules": {"schedules": [paused, a_schedule()]},
        f"GET /api/schedules/{SCHEDULE}": a_schedule(),
        f"PATCH /api/schedules/{SCHEDULE}": a_schedule(repeat="every 15m", time_zone="UTC"),
        f"POST /api/schedules/{SCHEDULE}/pause": a_schedule(paused_at=CREATED, next_times=[]),
        f"POST /api/schedules/{PAUSED}/resume": a_schedule(PAUSED),
        f"DELETE /api/schedules/{SCHEDULE}": a_schedule(ended_at=CREATED, next_times=[], message=None),
        "POST /api/schedules/preview": {"next_times": [FIRST, SECOND]},
    }
    return daemon


# send --at


def test_a_delayed_message_is_printed_with_its_full_date(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answers = {"status": "scheduled", "send_at": "2099-03-29T07:00:00Z"}

    code, out, _ = run(capsys, "send", "--to", TO, "--at", "2099-03-29 09:00", "--time-zone", "berlin", "text")

    assert code == 0
    assert daemon.bodies()[0]["send_at"] == "2099-03-29T09:00:00+02:00"
    assert "repeat" not in daemon.bodies()[0] and "time_zone" not in daemon.bodies()[0]
    assert out.startswith(f"scheduled: {message_id(1)} for Sun 2099-03-29 09:00 CEST (in ")


def test_a_span_counts_from_now(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.cli.times.now", lambda: datetime(2099, 3, 28, 8, tzinfo=UTC))

    run(capsys, "send", "--to", TO, "--at", "+2h", "text")

    assert daemon.bodies()[0]["send_at"] == "2099-03-28T10:00:00+00:00"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--at", "soon"), "`soon` is not a time."),
        (("--at", ""), "`` is not a time."),
        (("--at", "2001-01-31 18:30"), "`2001-01-31 18:30` is in the past."),
        (("--at", "18:30", "--time-zone", "Atlantis"), "`Atlantis`: this time zone is not known here."),
        (("--time-zone", "Europe/Berlin"), "--time-zone needs --at or --every."),
        (("--policy", "night"), "Only an alert has deadlines."),
        (("--data", "x"), "`x` is not a JSON object"),
        (("--data", "=x"), "`=x` does not have the form KEY=VALUE"),
    ],
)
def test_invalid_options_are_an_error_and_nothing_is_sent(
    words: tuple[str, ...], error: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "send", "--to", TO, *words, "text")

    assert code == 2
    assert error in assert_two_lines(err)[0]
    assert daemon.asked == []


# send --every


def test_a_recurring_message_uses_this_machines_zone_and_shows_its_next_times(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    daemon.answers = {"status": "scheduled", "send_at": FIRST, "schedule_id": SCHEDULE, "next_times": [FIRST, SECOND]}

    code, out, _ = run(capsys, "send", "--to", TO, "--every", "9:00", "--time-zone", "Europe/Berlin", "text")

    assert code == 0
    assert (daemon.bodies()[0]["repeat"], daemon.bodies()[0]["time_zone"]) == ("0 9 * * *", "Europe/Berlin")
    said, first, second = out.splitlines()
    assert said.startswith(f"scheduled: {message_id(1)} for Sat 2099-03-28 09:00 CET (in ")
    assert said.endswith(f"d), repeated by schedule {SCHEDULE}")
    assert first.startswith("  Sat 2099-03-28 09:00 CET (in ")
    assert second.startswith("  Sun 2099-03-29 09:00 CEST (in ")


def test_an_interval_needs_no_zone(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "EET-2")

    run(capsys, "send", "--to", TO, "--every", "15m", "--at", "2099-01-01", "text")

    body = daemon.bodies()[0]
    assert (body["repeat"], "time_zone" in body) == ("every 15m", False)
    assert str(body["send_at"]).startswith("2099-01-01T00:00:00")


def test_a_local_zone_without_a_name_is_refused(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "EET-2")

    code, _, err = run(capsys, "send", "--to", TO, "--every", "@daily", "text")

    assert (code, daemon.asked) == (2, [])
    assert assert_two_lines(err)[1] == "Name one, such as --time-zone Europe/Berlin."


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"TZ": "Europe/Berlin"}, "Europe/Berlin"),
        ({"TZ": ":Africa/Cairo"}, "Africa/Cairo"),
        ({"TZ": ""}, "UTC"),
        ({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}, None),
        ({}, "America/New_York"),
    ],
)
def test_the_machines_zone_is_found_by_its_name(environ: dict[str, str], found: str | None, tmp_path: Path) -> None:
    zone = tmp_path / "share" / "zoneinfo" / "America" / "New_York"
    zone.parent.mkdir(parents=True)
    zone.touch()
    (tmp_path / "localtime").symlink_to(zone)

    assert zone_of_this_machine(environ, tmp_path / "localtime") == found


def test_a_machine_without_a_zone_is_in_utc(tmp_path: Path) -> None:
    assert zone_of_this_machine({}, tmp_path / "localtime") == "UTC"


@pytest.mark.parametrize(("answer", "code", "sent"), [("y", 0, 1), ("n", 2, 0), ("", 2, 0)])
def test_on_a_terminal_the_times_must_be_confirmed(answer: str, code: int, sent: int, repeating: StandIn) -> None:
    repeating.answers = {"status": "scheduled", "schedule_id": SCHEDULE, "next_times": [FIRST, SECOND]}

    done, shown = on_a_terminal(answer, "send", "--to", TO, "--every", "@daily", "--time-zone", "UTC", "text")

    assert (done, len(repeating.messages)) == (code, sent)
    assert "  Sat 2099-03-28 08:00 UTC (in " in shown
    assert "Send it at these times? [y/N] " in shown
    assert shown.count("2099-03-28") == 1
    assert {"repeat": "@daily", "time_zone": "UTC"} in repeating.bodies()


@pytest.mark.parametrize(("word", "shown_times"), [("--yes", 1), ("--json", 0)])
def test_on_a_terminal_yes_skips_the_question(word: str, shown_times: int, repeating: StandIn) -> None:
    repeating.answers = {"status": "scheduled", "schedule_id": SCHEDULE, "next_times": [FIRST]}

    done, shown = on_a_terminal("", "send", "--to", TO, "--every", "15m", word, "text")

    assert (done, len(repeating.messages)) == (0, 1)
    assert "[y/N]" not in shown
    assert shown.count("  Sat 2099-03-28 08:00 UTC (in ") == shown_times


def on_a_terminal(answer: str, *argv: str) -> tuple[int, str]:
    """Run a command on a terminal, type this line, and return the exit code and the screen."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    command, environ = [sys.executable, "-m", "notifybot", *argv], {**os.environ, "COLUMNS": "120"}
    with os.fdopen(theirs, "rb+", buffering=0) as end:
        done = subprocess.run(command, timeout=60, check=False, env=environ, stdin=end, stdout=end, stderr=end)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:  # the other end is closed
        os.close(ours)
    return done.returncode, shown.decode().replace("\r\n", "\n")


# other fields of a message


def test_policy_reminders_template_and_data_are_passed_on(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data", "name=Backup", "--data", '{"host": "db-1", "name": "x"}', "--data", "took=74", "--data", "v=1.10")
    alert = ("--alert", "--policy", "night", "--remind-every", "30m")

    code, _, _ = run(capsys, "send", "--to", TO, "--template", "post_failure", *data, *alert)

    assert code == 0
    body = daemon.bodies()[0]
    assert body["data"] == {"name": "x", "host": "db-1", "took": 74, "v": "1.10"}
    assert (body["template"], body["policy"], body["remind_every"]) == ("post_failure", "night", "30m")
    assert "content" not in body


def test_a_policy_may_be_json(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    policy = '{"steps": [{"after": "5m", "to": ["alice"]}]}'

    run(capsys, "send", "--to", TO, "--alert", "--policy", policy, "text")

    assert daemon.bodies()[0]["policy"] == {"steps": [{"after": "5m", "to": ["alice"]}]}


def test_the_list_says_when_a_message_is_sent(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.cli.commands.messages.now", lambda: datetime(2099, 3, 28, 6, tzinfo=UTC))
    daemon.add(a_message(1, status="scheduled", send_at=FIRST))

    _, out, _ = run(capsys, "messages")

    assert "  in 2h  scheduled" in out


def test_show_says_when_a_message_is_sent_and_its_deadlines(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.cli.commands.messages.now", lambda: datetime(2099, 3, 28, 6, tzinfo=UTC))
    coming = {"status": "scheduled", "send_at": FIRST, "schedule_id": SCHEDULE}
    daemon.add(a_message(1, **coming, policy="night", steps_left=3, event="post_failure"))
    daemon.add(a_message(2, status="escalated", policy="night", steps_left=1, remind_at=SECOND))

    _, scheduled, _ = run(capsys, "messages", "show", message_id(1))
    _, escalated, _ = run(capsys, "messages", "show", message_id(2))

    assert "  sends         2099-03-28 08:00:00 UTC (in 2h)\n" in scheduled
    assert f"  schedule      {SCHEDULE}\n" in scheduled
    assert "  event         post_failure\n" in scheduled
    assert "  policy        night (3 steps left)\n" in scheduled
    assert "  policy        night (one step left)\n" in escalated
    assert "  reminds       2099-03-29 07:00:00 UTC (in 1d)\n" in escalated


@pytest.mark.parametrize(
    ("verb", "path", "said"), [("unack", "unacknowledge", "escalated"), ("retry", "retry", "initiated")]
)
def test_unack_and_retry(verb: str, path: str, said: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    code, out, _ = run(capsys, "messages", verb, message_id(1)[:13])

    assert (code, out) == (0, f"{said}: {message_id(1)}\n")
    assert daemon.asked[-1][:2] == ("POST", f"/api/messages/{message_id(1)}/{path}")


# schedules


@pytest.mark.parametrize("words", [("schedules",), ("schedules", "list")])
def test_the_list_shows_schedules_and_their_next_times(
    words: tuple[str, ...], repeating: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *words)

    heading, paused, waiting = (line.split("  ") for line in out.splitlines())
    assert code == 0
    assert [word.strip() for word in heading if word] == ["ID", "STATUS", "REPEATS", "ZONE", "NEXT", "SENT", "TEXT"]
    assert "paused" in paused[1] and "0 9 * * *" in out
    assert waiting[0] == SCHEDULE[:13]
    assert waiting[-1] == "Monday: look at the backups"
    assert "2099-03-28 09:00" in waiting


def test_times_in_an_unknown_zone_are_local(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.canned = {"GET /api/schedules": {"schedules": [a_schedule(time_zone="Moon/Tycho")]}}

    code, out, _ = run(capsys, "schedules")

    assert code == 0
    assert "Moon/Tycho  2099-03-28 08:00" in out


def test_an_empty_list_of_schedules_says_so(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.canned = {"GET /api/schedules": {"schedules": []}}

    assert run(capsys, "schedules") == (0, "no schedules\n", "")


def test_show_prints_a_schedule_in_its_own_zone(repeating: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "schedules", "show", SCHEDULE[:13])

    assert code == 0
    for fact in ("0 9 * * * (Europe/Berlin)", "12 times", "once", message_id(7), "-100123", "Monday", "by alice"):
        assert fact in out
    assert "\n  look at the backups\n\n  Sat 2099-03-28 09:00 CET (in " in out
    assert "\n  Sun 2099-03-29 09:00 CEST (in " in out


@pytest.mark.parametrize(
    ("verb", "id_", "said"),
    [
        ("pause", SCHEDULE, f"paused: {SCHEDULE}\n"),
        ("cancel", SCHEDULE, f"cancelled: {SCHEDULE}\n"),
        ("resume", PAUSED, f"waiting: {PAUSED}, next Sat 2099-03-28 09:00 CET (in "),
    ],
)
def test_a_schedule_is_paused_resumed_and_cancelled_by_a_unique_prefix(
    verb: str, id_: str, said: str, repeating: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "schedules", verb, id_[:13])

    assert code == 0
    assert out.startswith(said)


def test_a_change_sends_only_what_is_given_and_shows_the_next_times(
    repeating: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "schedules", "change", SCHEDULE, "--every", "15m")

    assert (code, repeating.bodies()) == (0, [{"repeat": "every 15m"}])
    assert out.startswith(f"changed: {SCHEDULE} (every 15m, UTC)\n  Sat 2099-03-28 08:00 UTC (in ")


def test_a_change_of_nothing_is_refused(repeating: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "schedules", "change", SCHEDULE)

    assert (code, repeating.asked) == (2, [])
    assert assert_two_lines(err)[0] == "Nothing to change."


def test_an_unknown_id_is_refused(repeating: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "schedules", "show", "0193f3a5")

    assert code == 2
    assert assert_two_lines(err) == ("No schedule begins with `0193f3a5`.", "`notifybot schedules` lists the ids.")


# from Python


def test_the_python_client_sends_later_and_repeatedly(repeating: StandIn) -> None:
    repeating.answers = {"status": "scheduled", "send_at": FIRST, "schedule_id": SCHEDULE, "next_times": [FIRST]}
    at = datetime(2099, 3, 28, 8, tzinfo=UTC)

    accepted = Client().send("text", to=TO, at=at, every="every 15m", remind_every=timedelta(minutes=5), alert=True)

    body = repeating.bodies()[0]
    assert (body["send_at"], body["repeat"], body["remind_every"]) == ("2099-03-28T08:00:00+00:00", "every 15m", 300)
    assert (accepted.send_at, accepted.schedule_id, accepted.next_times) == (at, SCHEDULE, (at,))
    assert Client().schedules().preview("every 15m", begins_at=at)[1] == datetime.fromisoformat(SECOND)


def test_a_time_without_a_zone_is_refused_before_anything_is_sent(daemon: StandIn) -> None:
    with pytest.raises(Refused, match="has no time zone"):
        Client().send("text", to=TO, at=datetime(2099, 3, 28, 8))  # noqa: DTZ001 - what a program must not do

    assert daemon.asked == []


def test_an_unknown_option_is_a_type_error(daemon: StandIn) -> None:
    with pytest.raises(TypeError, match="'titel'"):
        Client().send("text", to=TO, titel="x")  # type: ignore[call-arg]

    assert daemon.asked == []
