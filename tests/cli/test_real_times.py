"""Schedules, policies, events, on call and jobs with the real daemon."""

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest

from notifybot.cli.output import now
from notifybot.client import Client, Refused
from tests.cli.real import Json, RealDaemon, real_daemon
from tests.cli.running import run
from tests.cli.test_commands import assert_two_lines

BERLIN = ZoneInfo("Europe/Berlin")
NEXT_YEAR = now().year + 1
FAR = datetime(NEXT_YEAR, 1, 10, 9, tzinfo=BERLIN)
"""A time that does not come while the tests run."""


@pytest.fixture(scope="module")
def running() -> Iterator[RealDaemon]:
    """Run a daemon with a rotation, a policy, and alerts that stay open when acknowledged."""
    with TemporaryDirectory() as folder, real_daemon(Path(folder)) as daemon:
        group: Json = {"type": "supergroup", "title": "Nights", "member_ids": []}
        nights = daemon.sandbox("POST", "/sandbox/chats", group)["id"]
        with daemon.config.open("a") as config:
            config.write(
                f"recipients: {{nights: ['{nights}']}}\n"
                f"rotations: {{duty: {{members: ['{daemon.ops}'], start: 2026-01-05, time_zone: Europe/Berlin}}}}\n"
                "alerts:\n  close_on_acknowledge: false\n"
                "  policies: {night: {steps: [{after: 5m, to: [duty]}], repeat: 1, close_after: 8h}}\n"
            )
        daemon.start()
        yield daemon


@pytest.fixture
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> RealDaemon:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    return running


def does(capsys: pytest.CaptureFixture[str], words: str, *more: str) -> str:
    """Run a command that must succeed, and return its output."""
    code, out, err = run(capsys, *shlex.split(words), *more)
    assert (code, err) == (0, "")
    return out


def id_in(said: str) -> str:
    return said.split(": ")[1].split()[0]


def test_a_message_waits_for_its_time_and_is_cancelled(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    said = does(
        capsys, f"send --to {daemon.ops} --at '{FAR:%Y-%m-%d %H:%M}' --time-zone Europe/Berlin --alert", "certificate"
    )
    message_id = id_in(said)

    assert said.startswith(f"scheduled: {message_id} for {FAR:%a} {NEXT_YEAR}-01-10 09:00 CET (in ")
    assert Client().message(message_id).send_at == FAR
    assert "certificate" in does(capsys, "messages list --status scheduled")
    assert does(capsys, f"messages cancel {message_id}") == f"cancelled: {message_id}\n"


def test_a_message_that_is_due_at_once_arrives(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = id_in(does(capsys, f"send --to {daemon.ops} --at +1s", "soon enough"))

    assert daemon.awaited_text("soon enough")
    assert Client().message(message_id).status in ("initiated", "sent")


def test_a_schedule_is_shown_changed_paused_and_cancelled(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"send --to {daemon.ops} --every 9:00 --at '{FAR:%Y-%m-%d}' --time-zone berlin"
    said = does(capsys, words, "look at the backups")
    schedule_id = said.split("schedule ")[1].split()[0]

    days = [FAR + timedelta(days=number) for number in range(5)]
    assert [line.rpartition(" (in ")[0] for line in said.splitlines()[1:]] == [
        f"  {day:%a %Y-%m-%d} 09:00 CET" for day in days
    ]
    assert f"{schedule_id[:13]}  waiting  0 9 * * *  Europe/Berlin  {NEXT_YEAR}-01-10 09:00" in does(
        capsys, "schedules"
    )
    assert "look at the backups" in does(capsys, f"schedules show {schedule_id[:18]}")
    changed = does(capsys, f"schedules change {schedule_id} --every 'mon 10:00' --time-zone Africa/Cairo")
    assert changed.startswith(f"changed: {schedule_id} (0 10 * * 1, Africa/Cairo)\n")
    assert does(capsys, f"schedules pause {schedule_id}") == f"paused: {schedule_id}\n"
    assert does(capsys, f"schedules resume {schedule_id}").startswith(f"waiting: {schedule_id}, next Mon ")
    assert does(capsys, f"schedules cancel {schedule_id}") == f"cancelled: {schedule_id}\n"
    assert schedule_id[:13] not in does(capsys, "schedules")


@pytest.mark.parametrize("every", ["0 9 * * 1-9", "now and then", "15s"])
def test_an_invalid_repetition_is_refused_by_the_daemon(
    every: str, daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "send", "--to", daemon.ops, "--every", every, "--time-zone", "UTC", "text")

    assert code == 2
    assert assert_two_lines(err)[0].startswith("repeat: ")
    with pytest.raises(Refused, match="repeat"):
        Client().schedules().preview("15s")


def test_the_next_times_are_previewed(daemon: RealDaemon) -> None:
    times = Client().schedules().preview("0 9 * * *", time_zone="Europe/Berlin", begins_at=FAR)

    assert times == tuple(FAR + timedelta(days=number) for number in range(5))


def test_an_event_is_worded_by_its_template(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", "platform=Mastodon", "--data", "error=The picture is too large.", "--data", "attempts=3")

    event = id_in(does(capsys, f"event post_failure --to {daemon.ops}", *data))

    message = Client().message(event)
    assert message.event == "post_failure"
    assert "The picture is too large." in message.text and "3 times" in message.text
    code, _, err = run(capsys, "event", "post_failur", "--to", daemon.ops)
    assert (code, assert_two_lines(err)[1]) == (2, "Did you mean post_failure?")


def test_a_message_is_rendered_from_a_template(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"send --to {daemon.ops} --template automation_executed --wait --data name=Clean-up --data duration_s=74"

    does(capsys, words)

    assert "Clean-up" in daemon.shown_in_ops()[-1]


def test_an_acknowledged_alert_stays_open_and_is_unacknowledged(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = id_in(does(capsys, f"send --to {daemon.ops} --alert --policy night --wait", "disk full"))

    assert does(capsys, f"messages ack {alert}").startswith(f"acknowledged: {alert} (acknowledged by ")
    acknowledged = does(capsys, f"messages show {alert}")
    assert does(capsys, f"messages unack {alert}") == f"sent: {alert}\n"

    story = does(capsys, f"messages show {alert}")
    assert "  closes        " in acknowledged and "  escalates     " not in acknowledged
    assert "  closes        " in story and "  escalates     " in story
    assert "unacknowledged" in story
    assert "policy        night (2 steps left)" in story


def test_a_failed_message_is_retried(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = "-1009999999999"
    _, said, _ = run(capsys, "send", "--to", unknown, "--wait", "once more")
    message_id = id_in(said)
    group: Json = {"type": "supergroup", "title": "New", "member_ids": [], "id": int(unknown)}
    daemon.sandbox("POST", "/sandbox/chats", group)

    again = does(capsys, f"messages retry {message_id}")

    assert (said.split(":")[0], again) == ("failed", f"initiated: {message_id}\n")
    assert daemon.awaited_text("once more")
    code, _, err = run(capsys, "messages", "retry", message_id)
    assert (code, len(assert_two_lines(err))) == (2, 2)


def test_an_unknown_policy_suggests_the_nearest(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "send", "--to", daemon.ops, "--alert", "--policy", "nigt", "x")

    assert code == 2
    assert assert_two_lines(err)[1] == "Did you mean night?"


def test_on_call_is_shown_and_overridden(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert does(capsys, "oncall").splitlines()[1].split()[:2] == ["duty", "Ops"]

    made = id_in(does(capsys, "oncall override duty nights --for 2h").replace("on call in", ""))

    assert does(capsys, "oncall").splitlines()[1].split()[:2] == ["duty", "nights"]
    assert "an override" in does(capsys, "oncall show duty")
    assert does(capsys, f"oncall cancel {made[:13]}").startswith(f"ended: {made} (nights in duty)")
    assert does(capsys, "oncall").splitlines()[1].split()[:2] == ["duty", "Ops"]


def test_jobs_are_shown_and_run(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"escalation", "close", "telegram_daily_summary", "schedules", "retention"} <= {
        line.split()[0] for line in does(capsys, "jobs").splitlines()
    }

    assert does(capsys, "jobs trigger close").startswith("done: close (")
    assert "manual" in does(capsys, "jobs show close")
    assert any(run.is_manual for job in Client().jobs().everything(runs=100) for run in job.latest)
    with pytest.raises(Refused, match="There is no job clos"):
        Client().jobs().trigger("clos")
