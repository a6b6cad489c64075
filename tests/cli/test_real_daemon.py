"""The commands against the real daemon, and through it against the sandbox."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifybot.client import Client
from tests.cli.real import RealDaemon
from tests.cli.running import run


@pytest.fixture
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> RealDaemon:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))
    return running


@contextmanager
def telegram_away(daemon: RealDaemon) -> Iterator[None]:
    daemon.sandbox("POST", "/sandbox/faults", {"kind": "hang", "method": "sendMessage"})
    try:
        yield
    finally:
        daemon.sandbox("DELETE", "/sandbox/faults")


def send(capsys: pytest.CaptureFixture[str], daemon: RealDaemon, *argv: str) -> str:
    """Send to the group and return the id."""
    code, out, err = run(capsys, "send", "--to", daemon.ops, *argv)
    assert (code, err) == (0, "")
    return out.split(": ")[1].split()[0]


def test_an_alert_is_sent_shown_and_acknowledged(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    code, sent, _ = run(capsys, "send", "--to", daemon.ops, "--title", "db-1", "--alert", "--wait", "disk full")
    message_id = sent.split(": ")[1].split()[0]

    assert (code, sent.split(":")[0]) == (0, "sent")
    assert any("disk full" in text for text in daemon.shown_in_ops())
    assert message_id[:13] in run(capsys, "open")[1]
    assert "shown" in run(capsys, "messages", "show", message_id)[1]

    code, answered, _ = run(capsys, "messages", "ack", message_id[:-1])

    assert code == 0
    assert answered.startswith(f"closed: {message_id} (acknowledged by ")
    assert message_id[:13] not in run(capsys, "open")[1]
    story = run(capsys, "messages", "show", message_id)[1]
    assert all(event in story for event in ("accepted", "sent", "acknowledged", "closed"))


def test_every_message_field_of_the_daemon_is_parsed(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = send(capsys, daemon, "--source", "backup", "--wait", "--title", "Nightly", "done")

    message = Client().message(message_id)

    assert (message.title, message.content, message.source, message.is_alert) == ("Nightly", "done", "backup", False)
    assert (message.recipients, message.status) == ((daemon.ops,), "sent")
    assert [delivery.status for delivery in message.deliveries] == ["shown"]
    assert message.deliveries[0].telegram_message_ids
    assert [event.event for event in message.timeline][:1] == ["accepted"]


def test_a_message_is_listed_by_its_source_and_state(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = send(capsys, daemon, "--source", "nightly", "--wait", "done")

    _, found, _ = run(capsys, "messages", "list", "--source", "nightly", "--status", "sent", "--limit", "1")
    _, none, _ = run(capsys, "messages", "list", "--source", "nightly", "--status", "failed")

    assert found.splitlines()[1].startswith(message_id[:13])
    assert none == "no messages\n"


def test_a_chat_that_does_not_exist_is_a_failure_when_waited_for(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "send", "--to", "-1009999999999", "--wait", "text")

    assert (code, out.split(":")[0]) == (1, "failed")
    assert "chat not found" in err.splitlines()[0]
    assert len(err.splitlines()) == 2


def test_the_same_client_id_sends_once(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("send", "--to", daemon.ops, "--client-id", "report-1", "the report")

    _, first, _ = run(capsys, *words)
    code, second, _ = run(capsys, *words)

    assert code == 0
    assert second.startswith("already accepted, not sent again: ")
    assert first.split(": ")[1].split()[0] in second


def test_only_a_message_that_was_not_posted_is_cancelled(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = send(capsys, daemon, "--wait", "shown")
    with telegram_away(daemon):
        waiting = send(capsys, daemon, "waits")

        assert run(capsys, "messages", "cancel", waiting) == (0, f"cancelled: {waiting}\n", "")
        code, _, err = run(capsys, "messages", "cancel", shown)

    assert code == 2
    assert "cannot be cancelled" in err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--to", "nobody", "text"), "nobody"),
        (("--to", "@x", "text"), "channel_id"),
        (("--to", "5", " "), "blank"),
        (("--to", "5", "--alert", "--escalate-after", "soon", "text"), "escalate_after"),
        (("--to", "5", "--title", "x" * 300, "--source", "y" * 300, "text"), "source"),
        (("--to", "5", "--data", "log=" + "x" * 1_100_000, "text"), "larger than"),
    ],
)
def test_a_refusal_of_the_daemon_exits_with_2(
    words: tuple[str, ...], error: str, daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "send", *words)

    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert error in lines[0]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]


def test_a_notice_cannot_be_acknowledged(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "messages", "ack", send(capsys, daemon, "text"))

    assert code == 2
    assert "notice" in err.splitlines()[0]


def test_health_is_read(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "health")

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["telegram", "database", "jobs", "waiting"]


def test_people_are_subscribed_and_sent_to(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    anna = daemon.sandbox("POST", "/sandbox/users", {"first_name": "Anna"})["id"]
    daemon.sandbox("POST", "/sandbox/say", {"user_id": anna, "text": "hello"})
    person = Client().subscribe_user(str(anna), "Anna")

    code, out, _ = run(capsys, "send", "--to", person.user_id, "--wait", "for you")

    assert person in Client().subscribed_users()
    assert (code, out.split(":")[0]) == (0, "sent")


@pytest.mark.slow_because("a second daemon starts")
def test_a_second_daemon_is_refused_with_two_lines(daemon: RealDaemon) -> None:
    command = [sys.executable, "-m", "notifybot", "run", "--config", str(daemon.config)]

    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (second.returncode, second.stdout) == (2, "")
    assert [line.split(":")[0] for line in second.stderr.splitlines()] == ["error", "hint"]


def test_db_upgrade_upgrades_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path}/data\n")

    first = run(capsys, "db", "upgrade", "--config", str(config))
    second = run(capsys, "db", "upgrade", "--config", str(config))

    assert (first[0], second[0]) == (0, 0)
    assert "empty database is now at revision" in first[1]
    assert "already" in second[1]


@pytest.mark.slow_because("a daemon starts again")
def test_a_message_sent_during_a_restart_is_accepted(daemon: RealDaemon) -> None:
    assert daemon.stop() == 0
    daemon.launch()

    accepted = Client(patience_s=60).send("sent while nobody listened", to=daemon.ops, wait_s=30)

    assert accepted.status == "sent"
