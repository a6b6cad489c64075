"""Every client command: output and exit code."""

import io
import json
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifybot.cli import main
from tests.cli.running import run
from tests.cli.standin import StandIn, Uploaded, a_message, cutting, message_id, misbehaving, missing_files, problem
from tests.support.hand_time import in_hand

TO = "-1001234567890"
Type = Callable[[bytes], None]


@pytest.fixture
def pipe_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Set standard input."""
    return lambda given: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))


def assert_two_lines(err: str) -> tuple[str, str]:
    """Check the two lines that every failure ends in."""
    error, hint, rest = err.split("\n")
    assert error.startswith("error: ") and len(error) > len("error: ")
    assert hint.startswith("hint: ") and len(hint) > len("hint: ")
    assert rest == ""
    return error.removeprefix("error: "), hint.removeprefix("hint: ")


# send


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"content": "<b>Disk</b> full", "parse_mode": "HTML", "plain_text": "Disk full"}, "Disk full"),
        ({"content": "<b>Disk</b> full"}, "<b>Disk</b> full"),
        ({"title": "db1", "content": "*x*", "parse_mode": "Markdown", "plain_text": "x"}, "db1: x"),
        ({"type": "image", "content": None, "caption": "<i>x</i>", "plain_text": "x"}, "x"),
    ],
)
def test_lists_show_texts_without_markup(
    fields: dict[str, object], shown: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.add(a_message(1, **fields))
    for command in ("messages", "open"):
        _, out, _ = run(capsys, command)
        assert out.splitlines()[1].endswith(f"  {shown}")


def test_send_prints_the_id_of_the_accepted_message(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_send_prints_an_alerts_deadlines_in_local_time(
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


@pytest.mark.parametrize(
    ("words", "path"),
    [(("--wait", "text"), "?wait=30"), (("--wait", "5", "text"), "?wait=5"), (("--wait=0.5", "text"), "?wait=0.5")],
)
def test_wait_takes_a_number_but_not_the_text(
    words: tuple[str, ...], path: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answers = {"status": "sent"}

    code, out, _ = run(capsys, "send", "--to", TO, *words)

    assert (code, out) == (0, f"sent: {message_id(1)}\n")
    assert daemon.asked[0][1] == f"/api/ingest{path}"
    assert daemon.bodies()[0]["content"] == "text"


def test_a_text_that_looks_like_an_option_comes_after_two_dashes(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "send", "--to", TO, "--", "--wait")

    assert daemon.bodies()[0]["content"] == "--wait"


def test_a_wait_that_times_out_says_that_the_message_is_still_on_its_way(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "send", "--to", TO, "--wait", "text")

    assert (code, out) == (0, f"accepted, still on its way: {message_id(1)}\n")


def test_waiting_for_a_message_that_fails_prints_the_reason(
    daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = {"recipient": TO, "chat_id": TO, "purpose": "primary", "status": "failed", "telegram_message_ids": []}
    daemon.answers = {"status": "failed", "deliveries": [{**delivery, "attempts": 1, "last_error": "chat not found"}]}

    code, _, err = run(capsys, "send", "--to", TO, "--wait", "text")

    assert code == 1
    assert "chat not found" in assert_two_lines(err)[0]


def test_a_repeated_client_id_prints_the_first_message(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.answers = {"duplicate": True, "status": "sent"}

    code, out, _ = run(capsys, "send", "--to", TO, "--client-id", "nightly", "text")

    assert (code, out) == (0, f"already accepted, not sent again: {message_id(1)} (sent)\n")


def test_send_prints_the_daemons_response_as_json(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "send", "--to", TO, "--json", "text")

    assert json.loads(out)["id"] == message_id(1)


def test_a_lost_response_prints_the_client_id_for_a_retry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_hand(monkeypatch)
    with misbehaving(tmp_path / "s", cutting):
        code, _, err = run(capsys, "send", "--to", TO, "--socket", str(tmp_path / "s"), "--client-id", "k9", "text")

    assert code == 1
    assert "client id k9" in assert_two_lines(err)[1]


def test_send_uploads_pictures_and_files_and_passes_the_rest_on(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png", "c.log"):
        (tmp_path / name).write_text(name)
    words = [f"--photo={tmp_path}/a.png", f"--file={tmp_path}/c.log", f"--photo={tmp_path}/b.png"]
    words += ["--markdownv2", "--silent", "--priority", "low", "--thread", "7", "--link-preview", "--dedup-key", "disk"]
    words += ["--copy-button", "Host=db-1", "--button", "Run book=https://r.example/?a=b", "--data", '{"a": 1}']

    code, out, err = run(capsys, "send", "--to", TO, "--client-id", "k", *words, "see", "above")

    assert (code, out, err) == (0, f"accepted: {message_id(1)}\n", "")
    assert [(each.field, each.name) for each in daemon.uploaded] == [
        ("photo", "a.png"),
        ("photo", "b.png"),
        ("document", "c.log"),
    ]
    assert daemon.bodies()[0] == {
        "type": "image",
        "channel_id": TO,
        "parse_mode": "MarkdownV2",
        "buttons": '[{"text": "Host", "copy": "db-1"}, {"text": "Run book", "url": "https://r.example/?a=b"}]',
        "link_preview": "true",
        "priority": "low",
        "silent": "true",
        "thread_id": "7",
        "acknowledge": "false",
        "dedup_key": "disk",
        "data": '{"a": 1}',
        "client_id": "k",
        "caption": "see above",
    }


@pytest.mark.parametrize(
    ("option", "mode"),
    [
        ("--html", "HTML"),
        ("--markdown", "Markdown"),
        ("--markdownv2", "MarkdownV2"),
        ("--commonmark", "CommonMark"),
        ("--mono", "Mono"),
    ],
)
def test_each_format_has_an_option(option: str, mode: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "send", "--to", TO, option, "<b>text</b>")

    assert daemon.bodies()[0]["parse_mode"] == mode


@pytest.mark.parametrize(
    ("words", "field", "name"),
    [
        (["--file", "-"], "document", "stdin"),
        (["--photo", "-", "--file-name", "chart.png"], "photo", "chart.png"),
        (["--file=-", "--file-name=report.txt", "text"], "document", "report.txt"),
    ],
)
def test_a_file_may_come_from_standard_input(
    words: list[str], field: str, name: str, daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type
) -> None:
    pipe_in(b"\x89PNG \n\n")

    code, _, _ = run(capsys, "send", "--to", TO, *words)

    assert code == 0
    assert daemon.uploaded == [Uploaded(field, name, b"\x89PNG \n\n")]
    assert daemon.bodies()[0].get("caption") == ("text" if "text" in words else None)


def test_with_a_file_standard_input_is_read_only_on_request(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type, tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text("log")
    pipe_in(b"from the pipe")

    run(capsys, "send", "--to", TO, "--file", str(tmp_path / "a.log"))
    run(capsys, "send", "--to", TO, "--file", str(tmp_path / "a.log"), "-")

    assert [body.get("caption") for body in daemon.bodies()] == [None, "from the pipe"]


def test_a_url_is_passed_to_the_daemon(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "send", "--to", TO, "--photo", "https://example.org/a.png", "see")

    body = daemon.bodies()[0]
    assert (body["type"], body["content"], body["caption"]) == ("image", "https://example.org/a.png", "see")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--photo", "gone.png"], "gone.png does not exist."),
        (["--photo", "."], ". is a directory."),
        (["--file", "empty"], "empty is empty."),
        (["--file", "/dev/null"], "/dev/null is a device or a socket."),
        (["--file", "full", "--file", "full", "--file-name", "x"], "--file-name needs exactly one file."),
        (["--file-name", "x", "text"], "--file-name needs exactly one file."),
        (["--file", "-", "-"], "Standard input can only be read once."),
        (["--file", "-", "--photo", "-"], "Standard input can only be read once."),
        (["--file", "-"], "stdin is empty."),
        (["--photo", "ftp://example.org/a.png"], "ftp://example.org/a.png is not an https URL."),
        (["--file", "evil\x1b[2J"], "evil\\x1b[2J does not exist."),
    ],
)
def test_a_file_that_cannot_be_sent_is_an_error_and_nothing_is_sent(
    words: list[str],
    error: str,
    daemon: StandIn,
    capsys: pytest.CaptureFixture[str],
    pipe_in: Type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").touch()
    Path("full").write_text("content")
    pipe_in(b"")

    code, out, err = run(capsys, "send", "--to", TO, *words)

    assert (code, out) == (2, "")
    assert assert_two_lines(err)[0].endswith(error)
    assert daemon.asked == []


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (["--file", "empty", "Build failed"], "empty: empty is empty."),
        (["--file", "gone.log", "Build failed"], "gone.log: gone.log does not exist."),
        (["--photo", ".", "Disk full"], ".: . is a directory."),
        (["--photo", "/dev/null", "Disk full"], "null: /dev/null is a device or a socket."),
        (["--file", "-", "Build failed"], "stdin: stdin is empty."),
        (["--title", "Build failed", "--file", "empty"], "empty: empty is empty."),
        ([*["--file", "full"] * 21, "Build failed"], "full: A message can have at most 20 files."),
        (["--photo", "file:///a.png", "Disk full"], "a.png: file:///a.png is not an https URL."),
    ],
)
@pytest.mark.parametrize("kind", [["--alert"], []], ids=["alert", "notice"])
def test_a_file_that_cannot_be_sent_costs_no_message_its_text(
    kind: list[str],
    words: list[str],
    warning: str,
    daemon: StandIn,
    capsys: pytest.CaptureFixture[str],
    pipe_in: Type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").touch()
    Path("full").write_text("content")
    pipe_in(b"")
    daemon.answers = {"warnings": [warning]}

    code, out, err = run(capsys, "send", "--to", TO, *kind, *words)

    assert (code, out, err) == (0, f"accepted: {message_id(1)}\n", f"warning: {warning}\n")
    (named,) = missing_files(daemon.bodies()[0])
    assert f"{named['name']}: {named['reason']}" == warning


def test_a_message_is_resolved_by_its_dedup_key(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type
) -> None:
    daemon.add(a_message(1, dedup_key="disk"))
    pipe_in(b"is left alone")

    first = run(capsys, "send", "--to", TO, "--dedup-key", "disk", "--resolve")
    run(capsys, "send", "--to", TO, "--dedup-key", "disk", "--resolve", "88 % again")

    assert first == (0, f"resolved: {message_id(1)} (closed)\n", "")
    assert [(body["action"], body.get("content")) for body in daemon.bodies()] == [
        ("resolve", None),
        ("resolve", "88 % again"),
    ]


def test_resolving_nothing_is_no_failure(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("send", "--to", TO, "--dedup-key", "disk", "--resolve")

    assert run(capsys, *words) == (0, "nothing is open under disk\n", "")
    assert run(capsys, *words, "--json") == (0, "null\n", "")


# Recipients


@pytest.mark.parametrize("words", [(), ("--wait",)])
def test_a_withheld_notice_is_no_failure(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], daemon: StandIn
) -> None:
    withheld = {
        "recipient": "anna",
        "chat_id": "7",
        "purpose": "primary",
        "status": "withdrawn",
        "telegram_message_ids": [],
        "attempts": 0,
        "last_error": "anna has muted notifications until 2026-03-02 12:00 UTC.",
        "shown_at": None,
    }
    daemon.answers = {"id": message_id(9), "status": "failed", **({"deliveries": [withheld]} if words else {})}
    daemon.add(a_message(9, status="failed", deliveries=[withheld]))

    code, out, err = run(capsys, "send", "--to", "anna", *words, "backup done")

    assert (code, err) == (0, "")
    assert out == f"withheld: {message_id(9)}: anna has muted notifications until 2026-03-02 12:00 UTC\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "@ops"), {"channel_id": "@ops"}),
        (("--to", "oncall"), {"to": ["oncall"]}),
        (("--to", "oncall", "--to", TO, "--to=alice", "--to", "oncall"), {"to": ["oncall", TO, "alice"]}),
        (("--to", TO, "--to", TO), {"channel_id": TO}),
    ],
)
def test_to_is_repeatable(
    words: tuple[str, ...], said: dict[str, object], capsys: pytest.CaptureFixture[str], daemon: StandIn
) -> None:
    code, _, _ = run(capsys, "send", *words, "disk full")

    (body,) = daemon.bodies()
    assert code == 0
    assert {name: value for name, value in body.items() if name in ("channel_id", "user", "to")} == said


def test_the_default_recipient_is_the_sender(capsys: pytest.CaptureFixture[str], daemon: StandIn) -> None:
    run(capsys, "send", "built")

    assert daemon.bodies()[0]["to"] == [pwd.getpwuid(os.getuid()).pw_name]


# Wrong usage


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "No command is given."),
        (("sned",), "invalid choice: 'sned'"),
        (("send", "--to", "", "text"), "An empty recipient is given."),
        (("send", "--to", TO, "--to", "", "text"), "An empty recipient is given."),
        (("send", "--to", TO, "--escalate-after", "5m", "text"), "Only an alert has deadlines."),
        (("send", "--to", TO, "--wait", "31", "text"), "is not a number of seconds"),
        (("send", "--to", TO, "--wait", "nan", "text"), "is not a number of seconds"),
        (("send", "--to", TO, "one", "--alert", "two"), "Unrecognized arguments: two."),
        (("send", "--to"), "expected one argument"),
        (("send", "--phto", "x", "text"), "Unrecognized arguments: --phto"),
        (("send", "--to", TO, "--html", "--commonmark", "text"), "--commonmark: not allowed with argument --html"),
        (("send", "--to", TO, "--priority", "urgent", "text"), "invalid choice: 'urgent'"),
        (("send", "--to", TO, "--thread", "0", "text"), "`0` is not a whole number from 1"),
        (("send", "--to", TO, "--button", "Runbook", "text"), "`Runbook` does not have the form TEXT=URL"),
        (("send", "--to", TO, "--copy-button", "Host=", "text"), "`Host=` does not have the form TEXT=VALUE"),
        (("send", "--to", TO, *("--button", "a=https://a.example") * 5, "text"), "at most 4 buttons, not 5"),
        (("send", "--to", TO, "--data", "[1]", "text"), "`[1]` is not a JSON object"),
        (("send", "--to", TO, "--resolve"), "--resolve needs --dedup-key."),
        (("send", "--to", TO, "--resolve", "--dedup-key", "k", "--photo", "x.png"), "--photo does not go with"),
        (("send", "--to", TO, "--resolve", "--dedup-key", "k", "--html"), "A format does not go with --resolve."),
        (("send", "--to", TO, "--resolve", "--dedup-key", "k", "--button", "a=b"), "--button does not go with"),
        (("messages", "edit", message_id(1), "--title", "t", "new", "--titel", "x"), "Unrecognized arguments: new"),
        (("messages", "edit", message_id(1), "new", "--title", "t", "text"), "Unrecognized arguments: text"),
        (("messages", "file", message_id(1)), "The following arguments are required: N."),
        (("messages", "file", message_id(1), "0"), "`0` is not a whole number"),
        (("messages", "ack"), "The following arguments are required: ID."),
        (("messages", "show", "a", "b"), "Unrecognized arguments: b."),
        (("messages", "list", "--limit", "501"), "`501` is not a whole number from 1 to 500"),
        (("messages", "list", "--limit", "²"), "`²` is not a whole number from 1 to 500"),
        (("messages", "list", "--status", "open"), "invalid choice: 'open'"),
        (("demo", "--port", "70000"), "`70000` is not a whole number"),
        (("db",), "`db` needs a second word."),
        (("config",), "`config` needs a second word."),
        (("messages", "show", "0193f3a4?x=1/../0193f3a4-0001-7000-80"), "is not a message id"),
        (("health", "line\nbreak"), "Unrecognized arguments: line break"),
    ],
)
def test_wrong_usage_prints_two_lines_and_exits_with_2(
    words: tuple[str, ...], error: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *words)

    assert (code, out) == (2, "")
    assert error in assert_two_lines(err)[0]
    assert daemon.asked == []


def test_a_misspelt_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "sned", "--to", TO, "text")

    assert assert_two_lines(err)[1] == "Did you mean `send`?"


def test_empty_standard_input_is_an_error(daemon: StandIn, capsys: pytest.CaptureFixture[str], pipe_in: Type) -> None:
    pipe_in(b" \n\n")

    code, _, err = run(capsys, "send", "--to", TO)

    assert code == 2
    assert assert_two_lines(err)[0] == "Standard input is empty."
    assert daemon.asked == []


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_socket_and_config_work_before_or_after_the_command(
    place: int, daemon: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", "/nowhere")
    words = ["messages", "list", "--json"]
    words[place:place] = ["--socket", str(daemon.path), "--config", "/etc/x.yaml"]

    code, _, _ = run(capsys, *words)

    assert (code, len(daemon.asked)) == (0, 1)


# Reading messages


def test_the_list_shows_ids_that_other_commands_take(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_an_empty_list_says_so(command: str, said: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, command) == (0, said, "")


def test_open_shows_only_alerts_that_are_open(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1), a_message(2, status="closed"), a_message(3, acknowledge=False))

    _, table, _ = run(capsys, "open")
    _, machine, _ = run(capsys, "open", "--json")

    assert [line.split()[0] for line in table.splitlines()] == ["ID", message_id(1)[:13]]
    assert [message["id"] for message in json.loads(machine)["messages"]] == [message_id(1)]


def test_show_prints_everything_about_a_message(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert any(line.split()[-3:] == ["2026-03-01", "09:31:03", "UTC"] for line in lines)
    assert any(line.startswith("@ops") and line.endswith("chat not found") for line in lines)
    assert "2026-03-01 09:46:02 UTC  escalated  notifybot     to @ops" in lines


def test_deadlines_of_a_closed_alert_are_not_shown(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    deadlines = {"escalate_at": "2999-01-01T00:00:00Z", "close_at": "2999-01-01T00:00:00Z"}
    daemon.add(a_message(1, status="closed", **deadlines))

    _, out, _ = run(capsys, "messages", "show", message_id(1))

    assert "escalates" not in out and "closes" not in out


def test_text_from_outside_cannot_control_the_terminal(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066\x7f\r\x00\ud800"
    event = {"at": "2026-03-01T09:31:02Z", "event": "sent", "actor": evil, "detail": evil}
    daemon.add(a_message(1, title=evil, content=evil, source=evil, timeline=[event], acknowledged_by={"name": evil}))

    commands = (["list"], ["list", "--json"], ["show", message_id(1)], ["ack", message_id(1)])
    printed = "".join(run(capsys, "messages", *words)[1] for words in commands)

    assert [character for character in printed if not (character.isprintable() or character == "\n")] == []


def test_json_is_the_daemons_response_unchanged(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1, content="\x1b\x7f\u202e\u0085 Größe", unknown=[{"deep": None}]))

    _, out, _ = run(capsys, "messages", "show", "--json", message_id(1))

    assert json.loads(out) == daemon.messages[message_id(1)]
    assert "Größe" in out


def test_show_prints_files_buttons_and_repeats(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    file = {"kind": "photo", "size": None, "media_type": None, "url": None, "href": None, "problem": None}
    daemon.add(
        a_message(
            1,
            type="image",
            content=None,
            caption="see above",
            parse_mode="HTML",
            priority="high",
            silent=True,
            thread_id=7,
            buttons=[{"text": "Runbook", "url": "https://r.example/"}, {"text": "Host", "copy": "db-1"}],
            data={"größe": [1]},
            dedup_key="disk-db1",
            repeats=3,
            repeated_at="2026-03-01T09:35:00Z",
            resolved_at="2026-03-01T09:40:00Z",
            attachments=[
                {
                    **file,
                    "name": "chart.png",
                    "size": 48_200,
                    "media_type": "image/png",
                    "href": "/files/x_1_chart.png",
                },
                {**file, "name": "b.png", "url": "https://example.org/b.png"},
                {**file, "name": "c.png", "problem": "The address did not answer."},
            ],
        )
    )

    _, out, _ = run(capsys, "messages", "show", message_id(1))

    assert [line for line in out.splitlines() if " ago)" not in line] == [
        f"{message_id(1)}  sent alert",
        "  to            -100123",
        "  source        cron",
        "  format        HTML",
        "  priority      high",
        "  sound         none",
        "  topic         7",
        "  button        Runbook: https://r.example/",
        "  button        Host: copies db-1",
        '  data          {"größe": [1]}',
        "  dedup key     disk-db1",
        "",
        "  see above",
        "",
        "FILE  NAME       KIND   SIZE     TYPE       LOCATION",
        "1     chart.png  photo  48.2 kB  image/png  stored",
        "2     b.png      photo                      https://example.org/b.png",
        "3     c.png      photo                      The address did not answer.",
    ]
    assert "\n  repeated      3 times, last 2026-03-01 09:35:00 UTC (" in out
    assert "  resolved      2026-03-01 09:40:00 UTC (" in out


def test_a_message_without_text_is_listed_by_its_type(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1, type="image", content="https://example.org/a.png", caption=None))

    assert run(capsys, "messages")[1].splitlines()[1].endswith("  cron    (image)")


# Changes


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["new", "text"], {"content": "new text"}),
        (["--title", "T", "new"], {"content": "new", "title": "T"}),
        (["--title", "T", "--", "--new"], {"content": "--new", "title": "T"}),
        (["--title", "T"], {"title": "T"}),
        (["--title", ""], {"title": None}),
        (["--title", "T", "-"], {"content": "from the pipe", "title": "T"}),
        ([], {"content": "from the pipe"}),
    ],
)
def test_a_message_is_edited(
    words: list[str],
    asked: dict[str, object],
    daemon: StandIn,
    capsys: pytest.CaptureFixture[str],
    pipe_in: Type,
) -> None:
    daemon.add(a_message(1))
    pipe_in(b"from the pipe\n")

    said = run(capsys, "messages", "edit", message_id(1), *words)

    assert said == (0, f"edited: {message_id(1)} (sent)\n", "")
    assert daemon.asked[-1] == ("PATCH", f"/api/messages/{message_id(1)}", asked)


def test_the_id_may_follow_the_title(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    run(capsys, "messages", "edit", "--title", "T", message_id(1)[:13], "new")

    assert daemon.bodies() == [{"content": "new", "title": "T"}]


def test_a_closed_message_cannot_be_edited(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1, status="closed"))

    code, _, err = run(capsys, "messages", "edit", message_id(1), "new")

    assert code == 2
    assert assert_two_lines(err)[0] == "This message is closed."


# Acknowledging


def test_ack_prints_who_acknowledged(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1))

    code, out, _ = run(capsys, "messages", "ack", message_id(1)[:13])

    assert code == 0
    assert out.startswith(f"closed: {message_id(1)} (acknowledged by alice at ")


def test_several_are_closed_until_the_first_refusal(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.add(a_message(1), a_message(2, acknowledge=False), a_message(3))

    code, out, err = run(capsys, "messages", "ack", *(message_id(number) for number in (1, 2, 3)))

    assert code == 2
    assert out.startswith(f"closed: {message_id(1)}") and len(out.splitlines()) == 1
    assert assert_two_lines(err)[0] == "A notice asks for no acknowledgement."
    assert daemon.messages[message_id(3)]["status"] == "sent"


@pytest.mark.parametrize(("verb", "status"), [("close", "closed"), ("cancel", "cancelled")])
def test_close_and_cancel_print_the_new_state(
    verb: str, status: str, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.add(a_message(1))

    assert run(capsys, "messages", verb, message_id(1)) == (0, f"{status}: {message_id(1)}\n", "")


# Health and failures


@pytest.mark.parametrize(("status", "http", "code"), [("ok", 200, 0), ("degraded", 200, 0), ("down", 503, 1)])
def test_health_fails_only_if_the_daemon_is_down(
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
def test_the_exit_code_says_whose_fault_it_was(
    http: int, code: int, daemon: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.refuse = lambda: problem(http, "Not \x1b[31mso.")

    got, out, err = run(capsys, "send", "--to", TO, "text")

    assert (got, out) == (code, "")
    assert assert_two_lines(err)[0] == "Not \\x1b[31mso."


def test_every_wrong_field_is_named_once(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    errors = [{"loc": ["title"], "msg": "this is blank"}, {"loc": ["escalate_after"], "msg": "this is\nno span"}]
    daemon.refuse = lambda: problem(400, "title: this is blank", errors=errors)

    _, _, err = run(capsys, "send", "--to", TO, "text")

    assert assert_two_lines(err)[0] == "title: this is blank; escalate_after: this is no span"


def test_without_a_daemon_the_exit_code_is_1_and_the_hint_says_what_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "messages", "--socket", str(tmp_path / "none"))

    assert code == 1
    error, hint = assert_two_lines(err)
    assert "there is no socket" in error
    assert "notifybot run" in hint
