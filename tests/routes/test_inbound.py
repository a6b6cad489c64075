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
  later: {format: ntfy, to: ['-1001']}
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
    fired, again, resolved, over, anew = [
        await line.bearing("s3cret", "POST", "/in/prometheus", alertmanager(status=status, groupKey="life"))
        for status in ("firing", "firing", "resolved", "resolved", "firing")
    ]

    assert [each.status for each in (fired, again, resolved, over, anew)] == [200] * 5
    assert again.json["id"] == resolved.json["id"] == fired.json["id"] != anew.json["id"]
    assert over.json == {"status": "nothing to resolve", "duplicate": False}
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


@pytest.mark.parametrize("name", ["nowhere", "later", "%00", "a/b"])
async def test_an_unknown_route_is_404(line: Wire, name: str) -> None:
    assert_problem(await line.socket.ask("POST", f"/in/{name}", alertmanager()), 404)


async def test_the_list_is_for_admins(line: Wire) -> None:
    token = await line.token("nosy", scopes=["send", "read"])
    assert_problem(await line.bearing(token, "GET", "/api/admin/inbound"), 403)
    listed = (await line.socket.ask("GET", "/api/admin/inbound")).json["routes"]
    assert [(each["name"], each["has_secret"]) for each in listed] == [
        ("cron", True),
        ("hub", True),
        ("kuma", False),
        ("later", False),
        ("open", False),
        ("prometheus", True),
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
