"""Every client command in process: what it prints, where, and with which exit code."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifybot.cli import main
from tests.cli.standin import StandIn, a_message, cutting, message_id, misbehaving, problem

TO = "-1001234567890"
Type = Callable[[bytes], None]


@pytest.fixture
def pipe_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Put bytes on standard input."""
    return lambda given: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(argv)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def assert_two_lines(err: str) -> tuple[str, str]:
    """Every failure ends in exactly these two."""
    error, hint, rest = err.split("\n")
    assert error.startswith("error: ") and len(error) > len("error: ")
    assert hint.startswith("hint: ") and len(hint) > len("hint: ")
    assert rest == ""
    return error.removeprefix("error: "), hint.removeprefix("hint: ")


# send


def test_send_says_that_the_message_was_accepted_and_its_id(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "send", "--to", TO, "disk", "full")

    assert (code, out, err) == (0, f"accepted: {message_id(1)}\n", "")
    assert daemon.bodies()[0]["content"] == "disk full"
    assert daemon.bodies()[0]["acknowledge"] is False


def test_send_passes_every_option_on(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--title", "db1", "--source", "cron", "--alert", "--escalate-after", "5m", "--close-after", "never"]
    code, _, _ = run(capsys, "send", "--to", "@ops", *words, "--client-id", "k1", "disk full")

    assert code == 0
    assert daemon.bodies()[0] == {
        "type": "text",
        "content": "disk full",
        "channel_id": "@ops",
        "title": "db1",
        "source": "cron",
        "acknowledge": True,
        "escalate_after": "5m",
        "close_after": "never",
        "client_id": "k1",
    }


def test_send_tells_an_alerts_deadlines_in_local_time(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answers = {"escalate_at": "2001-03-01T09:46:00Z", "close_at": "2001-03-01T10:31:00Z"}

    _, out, _ = run(capsys, "send", "--to", TO, "--alert", "disk full")

    assert out == f"accepted: {message_id(1)} (escalates 2001-03-01 09:46, closes 2001-03-01 10:31)\n"


@pytest.mark.parametrize("words", [("-",), ()])
def test_send_reads_standard_input(
    words: tuple[str, ...], daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type
) -> None:
    pipe_in("first\n  Größe\n\n".encode())

    code, _, _ = run(capsys, "send", "--to", TO, *words)

    assert code == 0
    assert daemon.bodies()[0]["content"] == "first\n  Größe"


def test_bytes_that_are_no_text_do_not_cost_the_message(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type
) -> None:
    pipe_in(b"caf\xe9 closed")

    run(capsys, "send", "--to", TO)
    run(capsys, "send", "--to", TO, b"caf\xe9".decode("utf-8", "surrogateescape"))

    assert [body["content"] for body in daemon.bodies()] == ["caf\ufffd closed", "caf\ufffd"]


@pytest.mark.parametrize(
    ("words", "path"),
    [(("--wait", "text"), "?wait=30"), (("--wait", "5", "text"), "?wait=5"), (("--wait=0.5", "text"), "?wait=0.5")],
)
def test_wait_takes_a_number_and_leaves_the_text_alone(
    words: tuple[str, ...], path: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answers = {"status": "sent"}

    code, out, _ = run(capsys, "send", "--to", TO, *words)

    assert (code, out) == (0, f"sent: {message_id(1)}\n")
    assert daemon.asked[0][1] == f"/api/ingest{path}"
    assert daemon.bodies()[0]["content"] == "text"


def test_a_text_that_looks_like_an_option_stands_after_two_dashes(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "send", "--to", TO, "--", "--wait")

    assert daemon.bodies()[0]["content"] == "--wait"


def test_waiting_in_vain_says_that_the_message_is_still_on_its_way(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "send", "--to", TO, "--wait", "text")

    assert (code, out) == (0, f"accepted, still on its way: {message_id(1)}\n")


def test_waiting_for_a_message_that_cannot_be_shown_fails_with_the_reason(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = {"recipient": TO, "chat_id": TO, "purpose": "primary", "status": "failed", "telegram_message_ids": []}
    daemon.answers = {"status": "failed", "deliveries": [{**delivery, "attempts": 1, "last_error": "chat not found"}]}

    code, _, err = run(capsys, "send", "--to", TO, "--wait", "text")

    assert code == 1
    assert "chat not found" in assert_two_lines(err)[0]


def test_a_message_sent_before_under_this_client_id_is_named(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answers = {"duplicate": True, "status": "sent"}

    code, out, _ = run(capsys, "send", "--to", TO, "--client-id", "nightly", "text")

    assert (code, out) == (0, f"accepted before, not sent again: {message_id(1)} (sent)\n")


def test_send_prints_the_daemons_answer_as_json(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "send", "--to", TO, "--json", "text")

    assert json.loads(out)["id"] == message_id(1)


def test_a_lost_answer_names_the_client_id_to_send_again_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.client.PATIENCE_S", 0)
    with misbehaving(tmp_path / "s", cutting):
        code, _, err = run(capsys, "send", "--to", TO, "--socket", str(tmp_path / "s"), "--client-id", "k9", "text")

    assert code == 1
    assert "client id k9" in assert_two_lines(err)[1]


# Wrong usage


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "No command is given."),
        (("sned",), "invalid choice: 'sned'"),
        (("send", "text"), "No recipient is given."),
        (("send", "--to", "", "text"), "No recipient is given."),
        (("send", "--to", TO, "--escalate-after", "5m", "text"), "Only an alert has deadlines."),
        (("send", "--to", TO, "--wait", "31", "text"), "is no number of seconds"),
        (("send", "--to", TO, "--wait", "nan", "text"), "is no number of seconds"),
        (("send", "--to", TO, "one", "--alert", "two"), "Unrecognized arguments: two."),
        (("send", "--to"), "expected one argument"),
        (("send", "--photo", "x", "text"), "Unrecognized arguments: --photo"),
        (("messages", "ack"), "The following arguments are required: ID."),
        (("messages", "show", "a", "b"), "Unrecognized arguments: b."),
        (("messages", "list", "--limit", "501"), "`501` is no whole number from 1 to 500"),
        (("messages", "list", "--limit", "²"), "`²` is no whole number from 1 to 500"),
        (("messages", "list", "--status", "open"), "invalid choice: 'open'"),
        (("demo", "--port", "70000"), "`70000` is no whole number"),
        (("db",), "`db` needs another word."),
        (("config",), "`config` needs another word."),
        (("messages", "show", "0193f3a4?x=1/../0193f3a4-0001-7000-80"), "is no message id"),
        (("health", "line\nbreak"), "Unrecognized arguments: line break"),
    ],
)
def test_wrong_usage_is_two_lines_and_two(
    words: tuple[str, ...], error: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *words)

    assert (code, out) == (2, "")
    assert error in assert_two_lines(err)[0]
    assert daemon.asked == []


def test_a_command_misspelt_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "sned", "--to", TO, "text")

    assert assert_two_lines(err)[1] == "Did you mean `send`?"


def test_empty_standard_input_is_no_message(daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type) -> None:
    pipe_in(b" \n\n")

    code, _, err = run(capsys, "send", "--to", TO)

    assert code == 2
    assert assert_two_lines(err)[0] == "Standard input is empty."
    assert daemon.asked == []


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_socket_and_config_stand_before_or_after_the_command(
    place: int, daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", "/nowhere")
    words = ["messages", "list", "--json"]
    words[place:place] = ["--socket", str(daemon.path), "--config", "/etc/x.yaml"]

    code, _, _ = run(capsys, *words)

    assert (code, len(daemon.asked)) == (0, 1)


# Looking at messages


def test_the_list_is_a_table_with_ids_that_can_be_used(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    recently = (datetime.now(UTC) - timedelta(minutes=5, seconds=30)).isoformat()  # noqa: TID251 - ages count from now
    daemon.add(a_message(1, created_at="2026-01-01T10:00:00Z"), a_message(2, acknowledge=False, created_at=recently))
    daemon.messages[message_id(1)] |= {"title": "db1", "content": "disk\n\tfull", "source": "nightly backup"}

    code, out, _ = run(capsys, "messages", "list")

    heading, second, first = out.splitlines()
    assert code == 0
    assert heading.split() == ["ID", "CREATED", "AGE", "STATUS", "KIND", "SOURCE", "TEXT"]
    assert second.split()[0] == message_id(2)[:13] and "  5m  " in second and "  notice  " in second
    assert first.endswith("  sent    alert   nightly backup  db1: disk full")
    assert first.index("sent") == heading.index("STATUS") == second.index("sent")


@pytest.mark.parametrize("before", [[], ["--config", "x.yaml"], ["--config=x.yaml"]])
def test_messages_with_options_alone_lists_them_too(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], before: list[str]
) -> None:
    daemon.add(a_message(1))
    assert main([*before, "messages", "--json"]) == 0
    assert [message["id"] for message in json.loads(capsys.readouterr().out)["messages"]] == [message_id(1)]


def test_messages_alone_lists_them(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    assert run(capsys, "messages") == run(capsys, "messages", "list")


def test_the_filters_reach_the_daemon(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "messages", "list", "--status", "failed", "--source", "cron", "--limit", "3")

    assert daemon.asked[0][1] == "/api/messages?status=failed&source=cron&limit=3"


@pytest.mark.parametrize(("command", "said"), [("messages", "no messages\n"), ("open", "no open alerts\n")])
def test_nothing_to_show_is_said(command: str, said: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, command) == (0, said, "")


def test_open_shows_only_alerts_that_are_open(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1), a_message(2, status="closed"), a_message(3, acknowledge=False))

    _, table, _ = run(capsys, "open")
    _, machine, _ = run(capsys, "open", "--json")

    assert [line.split()[0] for line in table.splitlines()] == ["ID", message_id(1)[:13]]
    assert [message["id"] for message in json.loads(machine)["messages"]] == [message_id(1)]


def test_show_tells_the_whole_story(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {"recipient": TO, "chat_id": TO, "purpose": "primary", "status": "shown", "attempts": 1}
    failed = {"recipient": "@ops", "chat_id": "@ops", "purpose": "escalation", "status": "failed", "attempts": 3}
    events = [("09:31:02", "accepted", "account:root", None), ("09:46:02", "escalated", "notifybot", "to @ops")]
    daemon.add(
        a_message(
            1,
            status="escalated",
            title="db1",
            content="disk full\n  /var 100 %",
            close_at="2999-01-01T00:00:00Z",
            deliveries=[
                {**shown, "telegram_message_ids": [7], "last_error": None, "shown_at": "2026-03-01T09:31:03Z"},
                {**failed, "telegram_message_ids": [], "last_error": "chat not found", "shown_at": None},
            ],
            timeline=[
                {"at": f"2026-03-01T{at}Z", "event": event, "actor": actor, "detail": detail}
                for at, event, actor, detail in events
            ],
        )
    )

    code, out, _ = run(capsys, "messages", "show", message_id(1)[:13])

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == f"{message_id(1)}  escalated alert"
    assert "  title         db1" in lines
    assert any(line.startswith("  created       2026-03-01 09:31:02 UTC (") for line in lines)
    assert any(line.startswith("  closes        2999-01-01 00:00:00 UTC (in ") for line in lines)
    assert "\n  disk full\n    /var 100 %\n" in out
    assert any(line.split()[-2:] == ["2026-03-01", "09:31:03"] for line in lines)
    assert any(line.startswith("@ops") and line.endswith("chat not found") for line in lines)
    assert "2026-03-01 09:46:02  escalated  notifybot     to @ops" in lines


def test_deadlines_that_cannot_come_any_more_are_not_shown(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    deadlines = {"escalate_at": "2999-01-01T00:00:00Z", "close_at": "2999-01-01T00:00:00Z"}
    daemon.add(a_message(1, status="closed", **deadlines))

    _, out, _ = run(capsys, "messages", "show", message_id(1))

    assert "escalates" not in out and "closes" not in out


def test_what_comes_from_outside_cannot_drive_the_terminal(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066\x7f\r\x00\ud800"
    event = {"at": "2026-03-01T09:31:02Z", "event": "sent", "actor": evil, "detail": evil}
    daemon.add(a_message(1, title=evil, content=evil, source=evil, timeline=[event], acknowledged_by={"name": evil}))

    commands = (["list"], ["list", "--json"], ["show", message_id(1)], ["ack", message_id(1)])
    printed = "".join(run(capsys, "messages", *words)[1] for words in commands)

    assert [character for character in printed if not (character.isprintable() or character == "\n")] == []


def test_json_is_what_the_daemon_said_whatever_is_in_it(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1, content="\x1b\x7f\u202e\u0085 Größe", unknown=[{"deep": None}]))

    _, out, _ = run(capsys, "messages", "show", "--json", message_id(1))

    assert json.loads(out) == daemon.messages[message_id(1)]
    assert "Größe" in out


# Answering


def test_ack_says_who_answered(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    code, out, _ = run(capsys, "messages", "ack", message_id(1)[:13])

    assert code == 0
    assert out.startswith(f"closed: {message_id(1)} (acknowledged by alice at ")


def test_several_are_closed_at_once_and_the_first_refusal_ends_it(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.add(a_message(1), a_message(2, acknowledge=False), a_message(3))

    code, out, err = run(capsys, "messages", "ack", *(message_id(number) for number in (1, 2, 3)))

    assert code == 2
    assert out.startswith(f"closed: {message_id(1)}") and len(out.splitlines()) == 1
    assert assert_two_lines(err)[0] == "A notice asks for no acknowledgement."
    assert daemon.messages[message_id(3)]["status"] == "sent"


@pytest.mark.parametrize(("verb", "status"), [("close", "closed"), ("cancel", "cancelled")])
def test_close_and_cancel_say_the_new_state(
    verb: str, status: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.add(a_message(1))

    assert run(capsys, "messages", verb, message_id(1)) == (0, f"{status}: {message_id(1)}\n", "")


# Health and failures


@pytest.mark.parametrize(("status", "http", "code"), [("ok", 200, 0), ("degraded", 200, 0), ("down", 503, 1)])
def test_health_fails_only_where_the_daemon_cannot_work(
    status: str, http: int, code: int, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.health_status = http
    daemon.health = {
        "status": status,
        "telegram": "away: timed out",
        "database": "ok",
        "jobs": "ok",
        "waiting": 3,
        "oldest_waiting_s": 75.5,
        "warnings": ["There is no escalation channel."],
    }

    got, out, _ = run(capsys, "health")

    assert got == code
    assert out.splitlines() == [
        status,
        "  telegram  away: timed out",
        "  database  ok",
        "  jobs      ok",
        "  waiting   3, the oldest for 1m",
        "  warning: There is no escalation channel.",
    ]


@pytest.mark.parametrize(("http", "code"), [(400, 2), (403, 2), (404, 2), (409, 2), (413, 2), (500, 1), (502, 1)])
def test_the_exit_code_tells_whose_fault_it_was(
    http: int, code: int, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.refuse = lambda: problem(http, "Not \x1b[31mso.")

    got, out, err = run(capsys, "send", "--to", TO, "text")

    assert (got, out) == (code, "")
    assert assert_two_lines(err)[0] == "Not \\x1b[31mso."


def test_every_field_that_is_wrong_is_named_once(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    errors = [{"loc": ["title"], "msg": "this is blank"}, {"loc": ["escalate_after"], "msg": "this is\nno span"}]
    daemon.refuse = lambda: problem(400, "title: this is blank", errors=errors)

    _, _, err = run(capsys, "send", "--to", TO, "text")

    assert assert_two_lines(err)[0] == "title: this is blank; escalate_after: this is no span"


def test_no_daemon_is_our_fault_and_says_what_to_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "messages", "--socket", str(tmp_path / "none"))

    assert code == 1
    error, hint = assert_two_lines(err)
    assert "there is no socket" in error
    assert "notifybot run" in hint
