"""notifybot.client: requests, results, retries and errors."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from notifybot.client import (
    Client,
    NoAnswer,
    NotPermitted,
    NotReady,
    Refused,
    UnknownShape,
    Unreachable,
    default_socket_paths,
    send,
)
from notifybot.config import load_default
from tests.cli.standin import (
    Behaviour,
    StandIn,
    a_message,
    accepted,
    cutting,
    hanging,
    in_utc,
    json_reply,
    message_id,
    misbehaving,
    problem,
    saying,
    serving,
)
from tests.support.hand_time import in_hand

TO = "-1001234567890"
BUSY = json_reply({"detail": "The queue is full."}, status="503 Service Unavailable", extra="Retry-After: 0\r\n")


def client_ids(requests: list[bytes]) -> list[str]:
    return [json.loads(request.partition(b"\r\n\r\n")[2])["client_id"] for request in requests]


def hasty(path: Path, *, timeout_s: float = 5) -> Client:
    """Make a client that gives up after its first attempt."""
    return Client(path, timeout_s=timeout_s, patience_s=0)


# Requests


def test_send_returns_what_the_daemon_accepted(daemon: StandIn) -> None:
    daemon.answers = {"escalate_at": "2026-03-01T09:46:02Z"}

    result = send("disk full", to=TO, alert=True)

    assert (result.id, result.status, result.is_duplicate) == (message_id(1), "initiated", False)
    assert result.created_at == in_utc()
    assert result.escalate_at == in_utc() + timedelta(minutes=15)
    assert result.close_at is None


def test_send_sends_the_given_fields_and_no_others(daemon: StandIn) -> None:
    send("disk full", to=TO, title="db1", source="cron", alert=True, escalate_after=timedelta(minutes=5), client_id="k")

    method, path, body = daemon.asked[0]
    assert (method, path) == ("POST", "/api/ingest")
    assert body == {
        "type": "text",
        "content": "disk full",
        "channel_id": TO,
        "title": "db1",
        "source": "cron",
        "acknowledge": True,
        "escalate_after": 300,
        "client_id": "k",
    }


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("42", {"channel_id": "42"}),
        ("-1001234567890", {"channel_id": "-1001234567890"}),
        ("@ops", {"channel_id": "@ops"}),
        ("alice", {"to": ["alice"]}),
        ("0193f3a4-0001-4000-8000-000000000001", {"to": ["0193f3a4-0001-4000-8000-000000000001"]}),
        ("-", {"to": ["-"]}),
        (["42"], {"channel_id": "42"}),
        (("alice", "@ops", "alice"), {"to": ["alice", "@ops"]}),
    ],
)
def test_a_recipient_goes_into_the_right_field(to: str | list[str], said: dict[str, object], daemon: StandIn) -> None:
    send("text", to=to)

    (body,) = daemon.bodies()
    assert {name: value for name, value in body.items() if name in ("channel_id", "user", "to")} == said


@pytest.mark.parametrize("to", ["", [], ["alice", ""]])
def test_a_message_without_recipient_is_refused_before_anything_is_sent(to: str | list[str], daemon: StandIn) -> None:
    with pytest.raises(Refused, match="No recipient"):
        send("text", to=to)

    assert daemon.bodies() == []


@pytest.mark.parametrize(
    ("span", "sent"),
    [
        (timedelta(minutes=15), 900),
        (timedelta(seconds=1.2), 2),
        (timedelta(0), 0),
        ("15m", "15m"),
        ("never", "never"),
        (90, 90),
    ],
)
def test_a_span_is_sent_as_seconds_or_as_text(span: timedelta | int | str, sent: int | str, daemon: StandIn) -> None:
    send("text", to=TO, alert=True, close_after=span)

    assert daemon.bodies()[0]["close_after"] == sent


def test_waiting_returns_the_deliveries(daemon: StandIn) -> None:
    shown = {
        "recipient": TO,
        "chat_id": TO,
        "purpose": "primary",
        "status": "shown",
        "telegram_message_ids": [7],
        "attempts": 1,
        "last_error": None,
        "shown_at": "2026-03-01T09:31:02.500Z",
    }
    daemon.answers = {"status": "sent", "deliveries": [shown]}

    result = send("text", to=TO, wait_s=12.5)

    assert daemon.asked[0][1] == "/api/ingest?wait=12.5"
    assert result.deliveries[0].telegram_message_ids == (7,)
    assert result.deliveries[0].shown_at == in_utc() + timedelta(milliseconds=500)


def test_every_message_has_its_own_client_id(daemon: StandIn) -> None:
    send("one", to=TO)
    send("two", to=TO)

    first, second = (body["client_id"] for body in daemon.bodies())
    assert first and second and first != second


def test_text_in_any_language_arrives_unchanged(daemon: StandIn) -> None:
    send('Größe 磁盘 👩‍👩‍👧 "quoted" \\ \n end', to=TO)

    assert daemon.bodies()[0]["content"] == 'Größe 磁盘 👩‍👩‍👧 "quoted" \\ \n end'


def test_a_message_is_read_with_its_deliveries_and_timeline(daemon: StandIn) -> None:
    event = {"at": "2026-03-01T09:31:03Z", "event": "sent", "actor": "notifybot", "detail": None}
    answerer = {"telegram_id": 42, "name": "Anna", "username": "anna"}
    daemon.add(a_message(1, timeline=[event], acknowledged_by=answerer, title="db1", brand_new="field"))

    message = Client().message(message_id(1))

    assert (message.title, message.content, message.is_alert) == ("db1", "text 1", True)
    assert message.recipients == ("-100123",)
    assert message.timeline[0].event == "sent"
    assert message.acknowledged_by == "Anna (@anna)"
    assert message.document["brand_new"] == "field"


def test_messages_are_listed_with_their_filters(daemon: StandIn) -> None:
    daemon.add(a_message(1), a_message(2, status="closed"), a_message(3, source="a b&c"))

    page = Client().messages(status="sent", source="a b&c", limit=7)

    assert [message.id for message in page.messages] == [message_id(3)]
    assert page.next_cursor is None
    assert daemon.asked[0][1] == "/api/messages?status=sent&source=a%20b%26c&limit=7"


def test_the_next_page_begins_where_the_first_ended(daemon: StandIn) -> None:
    daemon.add(*(a_message(number) for number in (1, 2, 3)))

    first = Client().messages(limit=2)
    second = Client().messages(limit=2, cursor=first.next_cursor)

    assert [message.id for message in (*first.messages, *second.messages)] == [message_id(n) for n in (3, 2, 1)]


def test_open_alerts_are_those_not_yet_closed_newest_first_and_no_notices(daemon: StandIn) -> None:
    daemon.add(
        a_message(1),
        a_message(2, status="escalated"),
        a_message(3, status="closed"),
        a_message(4, acknowledge=False),
        a_message(5, status="failed"),
    )

    assert [alert.id for alert in Client().open_alerts()] == [message_id(n) for n in (5, 2, 1)]


def test_an_alert_is_acknowledged_closed_and_cancelled(daemon: StandIn) -> None:
    daemon.add(a_message(1), a_message(2), a_message(3, status="initiated"))
    client = Client()

    assert client.acknowledge(message_id(1)).acknowledged_by == "alice"
    assert client.close(message_id(2)).status == "closed"
    assert client.cancel(message_id(3)).status == "cancelled"
    assert [path.rsplit("/", 1)[1] for _, path, _ in daemon.asked] == ["acknowledge", "close", "cancel"]


def test_people_are_subscribed_and_listed(daemon: StandIn) -> None:
    assert Client().subscribe_user("42", "anna").chat_name == "anna"
    assert [person.chat_id for person in Client().subscribed_users()] == ["42"]


@pytest.mark.parametrize("status", [200, 503])
def test_health_is_read_even_if_the_daemon_is_down(status: int, daemon: StandIn) -> None:
    daemon.health_status = status
    daemon.health = {"status": "down", "telegram": "ok", "database": "disk full", "jobs": "ok", "waiting": 3}

    health = Client().health()

    assert (health.status, health.database, health.waiting) == ("down", "disk full", 3)


# Finding a message by id prefix


def test_a_full_id_needs_no_request(daemon: StandIn) -> None:
    assert Client().find(message_id(9).upper()) == message_id(9)
    assert daemon.asked == []


def test_a_unique_prefix_finds_its_message_on_any_page(daemon: StandIn) -> None:
    daemon.add(*(a_message(number) for number in range(1, 8)))
    daemon.page_size = 2

    assert Client().find(message_id(2)[:13]) == message_id(2)


def test_the_search_for_a_prefix_stops_at_older_messages(daemon: StandIn) -> None:
    daemon.add(*(a_message(number) for number in range(1, 8)))
    daemon.page_size = 2

    Client().find(message_id(7)[:13])

    assert len(daemon.asked) == 1


def test_an_ambiguous_prefix_names_the_messages(daemon: StandIn) -> None:
    daemon.add(a_message(1), a_message(2))

    with pytest.raises(Refused, match="matches 2 messages") as caught:
        Client().find("0193f3a4")

    assert caught.value.hint and message_id(1) in caught.value.hint


@pytest.mark.parametrize("prefix", ["ffff", "0193f3a4-0009"])
def test_a_prefix_of_no_message_is_refused(prefix: str, daemon: StandIn) -> None:
    with pytest.raises(Refused, match="No message begins"):
        Client().find(prefix)


@pytest.mark.parametrize("word", ["../../send", "x" * 36, "0193f3a4?limit=1", ""])
def test_an_invalid_id_never_gets_into_a_url(word: str, daemon: StandIn) -> None:
    with pytest.raises(Refused, match="not a message id"):
        Client().message(word)
    assert daemon.asked == []


# Refusals


def test_a_refusal_has_the_daemons_text(daemon: StandIn) -> None:
    errors = [{"loc": ["body", "content"], "msg": "is blank"}, {"loc": "query.wait", "msg": "is too long"}]
    daemon.refuse = lambda: problem(400, "The request is not valid.", hint="Mend it.", errors=errors)

    with pytest.raises(Refused) as caught:
        send(" ", to=TO)

    refusal = caught.value
    assert (refusal.code, refusal.title, refusal.detail, refusal.hint) == (
        400,
        "Problem",
        "The request is not valid.",
        "Mend it.",
    )
    assert refusal.errors == (("body.content", "is blank"), ("query.wait", "is too long"))
    assert len(daemon.asked) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"detail": 5}', b"[" * 100_000])
def test_a_refusal_without_a_problem_document_still_says_its_status(body: bytes, daemon: StandIn) -> None:
    daemon.refuse = lambda: web.Response(status=404, body=body)

    with pytest.raises(Refused, match="status 404"):
        Client().message(message_id(1))


def test_an_internal_error_of_the_daemon_is_not_retried(daemon: StandIn) -> None:
    daemon.refuse = lambda: problem(500, "Something broke; the log has it under 1a2b.")

    with pytest.raises(NotReady, match="1a2b"):
        send("text", to=TO)

    assert len(daemon.asked) == 1


# Retries


def test_a_busy_daemon_is_retried_after_its_retry_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("notifybot.client.transport.time.sleep", pauses.append)
    busy = json_reply({}, status="503 Service Unavailable", extra="Retry-After: 3\r\n")

    with misbehaving(tmp_path / "s", saying(busy), saying(json_reply(accepted()))) as requests:
        assert send("text", to=TO, socket_path=tmp_path / "s").id == message_id(1)

    first, second = client_ids(requests)
    assert first == second
    assert pauses == [3.0]


def test_the_client_gives_up_on_a_busy_daemon_with_its_reason(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", saying(BUSY)) as requests, pytest.raises(NotReady, match="queue is full"):
        Client(tmp_path / "s", patience_s=0.5).send("text", to=TO)

    assert len(requests) > 1


def test_a_retry_after_longer_than_the_patience_is_not_waited_for(tmp_path: Path) -> None:
    later = json_reply({}, status="503 Busy", extra="Retry-After: 3600\r\n")
    with misbehaving(tmp_path / "s", saying(later)) as requests, pytest.raises(NotReady):
        Client(tmp_path / "s").send("text", to=TO)

    assert len(requests) == 1


@pytest.mark.parametrize("first", [cutting, saying(b"HTTP/1.1 202 Acc"), saying(json_reply(accepted())[:-5])])
def test_a_dropped_connection_is_retried_under_the_same_client_id(first: Behaviour, tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", first, saying(json_reply(accepted()))) as requests:
        assert send("text", to=TO, socket_path=tmp_path / "s").id == message_id(1)

    first_id, second_id = client_ids(requests)
    assert first_id == second_id


def test_a_connection_dropped_after_a_long_wait_is_still_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = in_hand(monkeypatch)

    def cut_late(_: socket.socket) -> None:
        clock.now_s += 20

    with misbehaving(tmp_path / "s", cut_late, saying(json_reply(accepted()))):
        assert send("text", to=TO, wait_s=30, socket_path=tmp_path / "s").id == message_id(1)


def test_without_a_response_the_message_may_have_been_accepted(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", cutting) as requests, pytest.raises(NoAnswer) as caught:
        Client(tmp_path / "s", patience_s=0.5).send("text", to=TO)

    assert len(requests) > 1
    assert caught.value.client_id in client_ids(requests)
    assert caught.value.hint and str(caught.value.client_id) in caught.value.hint


@pytest.mark.parametrize("second", [saying(BUSY), cutting])
def test_a_first_attempt_without_response_outweighs_later_failures(second: Behaviour, tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", cutting, second), pytest.raises(NoAnswer):
        Client(tmp_path / "s", patience_s=0.5).send("text", to=TO)


def test_a_hanging_daemon_times_out(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", hanging), pytest.raises(NoAnswer, match="no response came in time"):
        hasty(tmp_path / "s", timeout_s=0.05).message(message_id(1))


def test_a_subscription_is_not_retried(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", cutting) as requests, pytest.raises(NoAnswer):
        Client(tmp_path / "s").subscribe_user("42", "anna")

    assert len(requests) == 1


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        json_reply([]),
        json_reply({"id": 5}),
        json_reply({**accepted(), "created_at": "yesterday"}),
        json_reply({**accepted(), "created_at": "2026-03-01T09:31:02"}),
        json_reply({**accepted(), "deliveries": {}}),
        json_reply({**accepted(), "escalate_at": True}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
    ],
)
def test_a_response_that_is_not_the_daemons_is_refused_and_not_retried(wire: bytes, tmp_path: Path) -> None:
    with (
        misbehaving(tmp_path / "s", saying(wire)) as requests,
        pytest.raises(UnknownShape, match="Unexpected response"),
    ):
        send("text", to=TO, socket_path=tmp_path / "s")

    assert len(requests) == 1


# Connecting


def test_without_a_socket_the_error_names_the_paths_and_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifybot.client.transport.SERVICE_RUNTIME", str(tmp_path / "run"))

    with pytest.raises(Unreachable, match="there is no socket") as caught:
        send("text", to=TO)

    assert str(tmp_path / "runtime/notifybot/notifybot.sock") in caught.value.detail
    assert caught.value.hint and "notifybot run" in caught.value.hint


def test_a_socket_that_nobody_listens_on_is_refused(tmp_path: Path) -> None:
    abandoned(tmp_path / "s")

    with pytest.raises(Unreachable, match="refused"):
        hasty(tmp_path / "s").message(message_id(1))


def test_sending_waits_for_a_daemon_that_is_being_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    abandoned(path)
    with ExitStack() as stack:

        def restart(_: float) -> None:
            path.unlink()
            stack.enter_context(serving(StandIn(path)))

        monkeypatch.setattr("notifybot.client.transport.time.sleep", restart)

        assert Client(path).send("text", to=TO).status == "initiated"


def test_reading_does_not_wait_for_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned(tmp_path / "s")
    pauses: list[float] = []
    monkeypatch.setattr("notifybot.client.transport.time.sleep", pauses.append)

    with pytest.raises(Unreachable):
        Client(tmp_path / "s").messages()

    assert pauses == []


def test_a_path_too_long_for_a_socket_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="too long"):
        hasty(tmp_path / ("x" * 200)).message(message_id(1))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without permission")
def test_a_socket_without_permission_says_how_to_get_it(tmp_path: Path, daemon: StandIn) -> None:
    daemon.path.chmod(0o600)
    script = """
import os
from notifybot.client import NotPermitted, send
os.setuid(65534)
try:
    send("text", to="1")
except NotPermitted as error:
    print(error.detail, error.hint)
"""

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert "Permission denied" in shown.stdout
    assert "group" in shown.stdout


def test_the_socket_is_the_given_one_then_the_environments_then_the_first_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: StandIn(tmp_path / name / "notifybot" / "notifybot.sock") for name in ("run", "runtime", "named")}
    for standin in places.values():
        standin.path.parent.mkdir(parents=True)
    monkeypatch.setattr("notifybot.client.transport.SERVICE_RUNTIME", str(tmp_path / "run"))
    abandoned(places["run"].path)

    with serving(places["runtime"]), serving(places["named"]):
        send("to the user's own daemon, as no service answers", to=TO)
        monkeypatch.setenv("NOTIFYBOT_SOCKET", str(places["named"].path))
        send("to the environment's", to=TO)
        send("to the named one", to=TO, socket_path=places["runtime"].path)

    assert [len(standin.asked) for standin in places.values()] == [0, 2, 1]


def abandoned(path: Path) -> None:
    """Leave a socket file without a daemon."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/home/anna", "XDG_RUNTIME_DIR": "/run/user/7"},
        {"HOME": "/home/anna"},
        {"HOME": "/home/anna", "XDG_STATE_HOME": "/state"},
        {"HOME": "/home/anna", "XDG_STATE_HOME": "relative"},
        {},
    ],
)
def test_the_shipped_config_listens_on_a_default_path_of_the_client(environ: dict[str, str]) -> None:
    assert str(load_default(environ).socket.path) in default_socket_paths(environ)


def test_not_permitted_and_refused_are_the_callers_faults_and_the_others_are_not() -> None:
    kinds = (Refused, NotPermitted, Unreachable, NotReady, NoAnswer)

    assert [kind.is_callers_fault for kind in kinds] == [True, True, False, False, False]
