"""Inbound routes on the running daemon: secrets, refusals and their list, overload, one post for a problem."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.inbound.documents import alertmanager
from tests.support.door import Answer, Json, assert_problem
from tests.support.remote import Wire, wire

ROUTES = """
inbound:
  prometheus: {format: alertmanager, to: ['-1001'], secret: s3cret, priority: high}
  open: {format: alertmanager, to: ['-1002'], acknowledge: false}
  hub: {format: github, to: ['-1003'], secret: s3cret}
  kuma: {format: uptime-kuma, to: ['-1002']}
  cron: {format: healthchecks, to: ['-1002'], secret: s3cret}
  later: {format: oncall, to: ['-1001']}
  disk: {format: ntfy, to: ['-1004'], secret: s3cret, acknowledge: false}
  phone: {format: gotify, to: ['-1005'], secret: app-token, acknowledge: false}
  tablet: {format: gotify, to: ['-1006'], secret: other-token}
  apprise: {format: apprise, to: ['-1007'], secret: s3cret}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    async with wire(tmp_path_factory.mktemp("d"), config=ROUTES) as opened:
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def message(line: Wire, answer: Answer) -> Json:
    return (await line.socket.ask("GET", f"/api/messages/{answer.json['id']}")).json


async def refusals(line: Wire, name: str = "prometheus") -> list[Json]:
    routes = (await line.socket.ask("GET", "/api/admin/inbound")).json["routes"]
    (found,) = (route["refusals"] for route in routes if route["name"] == name)
    return list(found)


async def test_a_problem_is_one_message_until_it_is_resolved(line: Wire) -> None:
    fired, again, resolved, closed, later = [
        await line.bearing("s3cret", "POST", "/in/prometheus", alertmanager(status=status, groupKey="life"))
        for status in ("firing", "firing", "resolved", "resolved", "firing")
    ]

    assert [each.status for each in (fired, again, resolved, closed, later)] == [200] * 5
    assert again.json["id"] == resolved.json["id"] == fired.json["id"] != later.json["id"]
    assert closed.json == {"status": "nothing to resolve", "duplicate": False}
    first = await message(line, fired)
    assert (first["status"], first["source"], first["account"]) == ("closed", "prometheus", "inbound:prometheus")
    assert (first["title"], first["priority"]) == ("DiskFull", "critical")
    assert first["data"]["labels"]["instance"] == "db1"


def basic(password: str) -> str:
    return f"Basic {b64encode(f'anyone:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"Authorization": "Bearer s3cret"}, 200),
        ("", {"Authorization": "bearer  s3cret "}, 200),
        ("", {"Authorization": basic("s3cret")}, 200),
        ("?token=s3cret", {}, 200),
        ("", {}, 401),
        ("?token=", {}, 401),
        ("?token=s3cre", {}, 401),
        ("", {"Authorization": "Bearer wrong"}, 401),
        ("", {"Authorization": "Bearer nb_wrong"}, 401),
        ("", {"Authorization": basic("wrong")}, 401),
        ("", {"Authorization": "Basic %%%"}, 401),
        ("", {"Authorization": "Digest s3cret"}, 401),
    ],
)
async def test_the_secret(line: Wire, query: str, headers: Mapping[str, str], status: int) -> None:
    line.forget_guesses()
    answer = await line.ask("POST", f"/in/prometheus{query}", alertmanager(), **headers)
    assert answer.status == status, answer


async def test_a_sender_without_a_secret_is_no_guesser(line: Wire) -> None:
    line.forget_guesses()
    answers = [await line.ask("POST", "/in/prometheus", alertmanager()) for _ in range(15)]
    assert {each.status for each in answers} == {401}


async def test_an_api_token_is_a_secret_too(line: Wire) -> None:
    token = await line.token("monitoring")
    for path in ("/in/prometheus", "/in/open"):
        assert (await line.bearing(token, "POST", path, alertmanager())).status == 200
    reader = await line.token("reader", scopes=["read"])
    assert_problem(await line.bearing(reader, "POST", "/in/prometheus", alertmanager()), 403)


async def test_a_route_without_a_secret_is_closed_on_tcp_and_open_on_the_socket(line: Wire) -> None:
    assert_problem(await line.ask("POST", "/in/open", alertmanager()), 401)
    sent = await line.socket.ask("POST", "/in/open", alertmanager())
    assert (await message(line, sent))["escalate_at"] is None


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{broken", 400, "The body is not JSON"),
        (b"\xff\xfe", 400, "The body is not UTF-8"),
        (b"", 400, "The body is not JSON"),
        (b"[]", 400, "The body must be a JSON object."),
        (b'{"version": "4", "status": 7}', 400, "status: this must be firing or resolved"),
        (json.dumps(alertmanager(status="paused")).encode(), 400, "status: this must be firing or resolved"),
        (b"[" * 5000, 400, "The body is not JSON"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', 413, "The body is larger than"),
    ],
)
async def test_what_does_not_fit_is_refused_and_listed_with_its_body(
    line: Wire, body: bytes, status: int, reason: str
) -> None:
    before = await line.socket.kept()

    refused = await line.ask("POST", "/in/prometheus?token=s3cret", body)

    assert assert_problem(refused, status)["detail"].startswith(reason)
    newest = (await refusals(line))[0]
    assert (newest["status"], newest["reason"]) == (status, refused.json["detail"])
    assert newest["body"] == (body.decode("utf-8", "replace") if status == 400 else "")
    assert await line.socket.kept() == before


async def test_a_wrong_secret_is_listed_without_a_body(line: Wire) -> None:
    line.forget_guesses()
    await line.ask("POST", "/in/prometheus?token=wrong", alertmanager())
    stranger = next(each for each in await refusals(line) if each["status"] == 401)
    assert stranger["reason"] == "wrong or no secret, from 127.0.0.1"
    assert stranger["body"] is None


ISSUE = json.dumps(
    {"action": "opened", "issue": {"number": 1, "title": "x"}, "repository": {"full_name": "acme/web"}}
).encode()


def signed(body: bytes, secret: str = "s3cret", *, event: str = "issues", delivery: str = "d1") -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
    }


async def test_a_delivery_of_github_is_sent_once(line: Wire) -> None:
    first, again = [await line.ask("POST", "/in/hub", ISSUE, **signed(ISSUE)) for _ in range(2)]
    ping = await line.ask("POST", "/in/hub", b"{}", **signed(b"{}", event="ping"))

    assert (first.status, again.status) == (200, 200)
    assert (again.json["id"], again.json["duplicate"]) == (first.json["id"], True)
    assert (ping.status, ping.json["status"]) == (200, "ignored")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", signed(ISSUE, "wrong")),
        ("", signed(ISSUE + b" ")),
        ("", {}),
        ("?token=s3cret", {}),
        ("", {"Authorization": "Bearer s3cret"}),
    ],
)
async def test_github_must_sign(line: Wire, query: str, headers: Mapping[str, str]) -> None:
    line.forget_guesses()
    before = await line.socket.kept()
    assert_problem(await line.ask("POST", f"/in/hub{query}", ISSUE, **headers), 401)
    assert await line.socket.kept() == before


async def test_an_unknown_event_is_refused_and_listed(line: Wire) -> None:
    refused = await line.ask("POST", "/in/hub", b"{}", **signed(b"{}", event="star"))
    assert_problem(refused, 400)
    assert (await refusals(line, "hub"))[0]["reason"].startswith("The event 'star' is unknown")


async def test_the_test_message_of_uptime_kuma(line: Wire) -> None:
    sent = await line.socket.ask("POST", "/in/kuma", {"heartbeat": None, "monitor": None, "msg": "Testing"})
    assert (await message(line, sent))["title"] == "Uptime Kuma"


async def test_a_check_of_healthchecks_goes_down_and_up(line: Wire) -> None:
    down, up = [
        await line.bearing("s3cret", "POST", "/in/cron", f"code=c1\nstatus={status}\nname=Backup".encode())
        for status in ("down", "up")
    ]
    assert (await message(line, down))["status"] == "closed"
    assert up.json["id"] == down.json["id"]


@pytest.mark.parametrize("name", ["nowhere", "%00", "a/b"])
async def test_an_unknown_route_is_404(line: Wire, name: str) -> None:
    assert_problem(await line.socket.ask("POST", f"/in/{name}", alertmanager()), 404)


async def test_the_list_is_for_admins(line: Wire) -> None:
    token = await line.token("nosy", scopes=["send", "read"])
    assert_problem(await line.bearing(token, "GET", "/api/admin/inbound"), 403)
    listed = (await line.socket.ask("GET", "/api/admin/inbound")).json["routes"]
    assert [(each["name"], each["has_secret"]) for each in listed] == [
        ("apprise", True),
        ("cron", True),
        ("disk", True),
        ("hub", True),
        ("kuma", False),
        ("later", False),
        ("open", False),
        ("phone", True),
        ("prometheus", True),
        ("tablet", True),
    ]
    assert "s3cret" not in str(listed)


async def test_above_the_allowance_the_sender_is_asked_to_repeat(folder: Path) -> None:
    async with wire(folder, config=f"{ROUTES}\ncallers: {{alerts_per_minute: 2}}") as few:
        answers = [
            await few.bearing("s3cret", "POST", "/in/prometheus", alertmanager(groupKey=f"k{number}"))
            for number in range(3)
        ]
        assert [each.status for each in answers] == [200, 200, 503]
        assert answers[2].headers["retry-after"]
        assert await refusals(few) == []


AUTH = b64encode(basic("s3cret").encode()).decode().rstrip("=")
NTFY = {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("POST", "/disk", b"Backup done", NTFY),
        ("PUT", "/disk", b"Backup done", NTFY | {"Title": "db1", "Priority": "urgent", "Tags": "warning,db"}),
        ("POST", "/in/disk", b"Backup done", {"Authorization": basic("s3cret")}),
        ("PUT", "/in/disk", b"Backup done", NTFY),
        ("GET", "/disk/publish?message=Backup+done&title=db1", b"", NTFY),
        ("GET", "/disk/send?m=Backup+done", b"", NTFY),
        ("GET", f"/disk/trigger?m=Backup+done&auth={AUTH}", b"", {}),
        ("POST", "/", b'{"topic": "disk", "message": "Backup done", "priority": 5, "tags": ["x"]}', NTFY),
    ],
)
async def test_ways_to_publish_to_ntfy(
    line: Wire, method: str, target: str, body: bytes, headers: Mapping[str, str]
) -> None:
    sent = await line.ask(method, target, body, **headers)
    assert sent.status == 200, sent
    found = await message(line, sent)
    assert found["content"].startswith(("Backup done", "❌ Backup done")), found
    assert (found["source"], found["escalate_at"]) == ("disk", None)


async def test_a_delayed_message_is_scheduled(line: Wire) -> None:
    sent = await line.ask("POST", "/disk", b"later", **NTFY, Delay="30 min")
    assert sent.json["status"] == "scheduled"


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "status"),
    [
        ("POST", "/disk", b"x", {}, 401),
        ("GET", "/disk/publish?m=x&auth=x", b"", {}, 401),
        ("HEAD", "/disk/publish?m=x&token=s3cret", b"", {}, 405),
        ("POST", "/", b'{"topic": "nowhere", "message": "x"}', NTFY, 401),
        ("POST", "/", b'{"topic": "prometheus", "message": "x"}', NTFY, 401),
        ("POST", "/", b"{}", NTFY, 400),
        ("POST", "/", b'{"topic": "disk", "tags": "a"}', NTFY, 400),
        ("POST", "/disk", b"x", NTFY | {"Delay": "tomorrow"}, 400),
        ("POST", "/disk", b"\xff", NTFY, 400),
        ("POST", "/message?token=wrong", b'{"message": "x"}', {}, 401),
        ("POST", "/message?token=app-token", b'{"title": "x"}', {}, 400),
        ("POST", "/in/apprise?token=s3cret", b'{"type": "info"}', {}, 400),
    ],
)
async def test_publishing_is_refused(
    line: Wire, method: str, target: str, body: bytes, headers: Mapping[str, str], status: int
) -> None:
    line.forget_guesses()
    before = await line.socket.kept()
    async with line.connection() as opened:
        named = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *map(": ".join, named.items())])
        await opened.say(head.encode() + b"\r\n\r\n" + body)
        answer = await opened.answer(has_body=method != "HEAD")
    assert answer.status == status, answer
    assert await line.socket.kept() == before


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\ndb1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\ndisk full\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("target", "body", "headers", "source"),
    [
        ("/message?token=app-token", b'{"message": "disk full", "title": "db1", "priority": 8}', {}, "phone"),
        ("/message", b'{"message": "disk full", "title": "db1"}', {"X-Gotify-Key": "other-token"}, "tablet"),
        ("/message", b'{"message": "disk full", "title": "db1"}', {"Authorization": "Bearer app-token"}, "phone"),
        ("/message?token=app-token", FORM, {"Content-Type": "multipart/form-data; boundary=x"}, "phone"),
        (
            "/message?token=app-token",
            b"message=disk+full&title=db1",
            {"Content-Type": "application/x-www-form-urlencoded"},
            "phone",
        ),
        ("/in/phone/message?token=app-token", b'{"message": "disk full", "title": "db1"}', {}, "phone"),
    ],
)
async def test_the_app_token_of_gotify_names_the_route(
    line: Wire, target: str, body: bytes, headers: Mapping[str, str], source: str
) -> None:
    sent = await line.ask("POST", target, body, **headers)
    assert sent.status == 200, sent
    found = await message(line, sent)
    assert (found["source"], found["title"], found["content"]) == (source, "db1", "disk full")


async def test_a_message_of_apprise(line: Wire) -> None:
    body = {"version": "1.0", "title": "db1", "message": "disk full", "type": "failure", "attachments": []}
    found = await message(line, await line.bearing("s3cret", "POST", "/in/apprise", body))
    assert (found["title"], found["content"], found["priority"]) == ("db1", "disk full", "high")
