"""The requests of the four documents that notifybot was ordered from, over the socket, with a token and with a JWT.

Each row names its document (A alerts, B dashboard, C scheduled messages, D notification bot) and the section there.
"""

import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Person, Place
from tests.stories.world import Json, World
from tests.support.keys import SECRET, signed
from tests.support.pictures import png
from tests.support.remote import port_of

SOCKET, TOKEN, JWT, ADMIN, NOBODY = "socket", "token", "JWT", "admin token", "no credentials"
MESSAGE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
CODE = re.compile(r"^code: (\d{6})$", re.MULTILINE)
PNG = png(40, 30)
PICTURE = base64.b64encode(PNG).decode()

Shape = Mapping[str, object]
ACCEPTED: Shape = {"id": MESSAGE_ID, "status": "initiated", "duplicate": False, "created_at": WITH_ZONE}
ALERT: Shape = {**ACCEPTED, "escalate_at": WITH_ZONE, "close_at": WITH_ZONE}
NOTICE: Shape = {**ACCEPTED, "escalate_at": None, "close_at": None}
SUBSCRIBED: Shape = {"user_id": USER_ID, "chat_id": re.compile(r"\d+"), "chat_name": str, "created_at": WITH_ZONE}
SCHEDULED: Shape = {
    "id": MESSAGE_ID,
    "target_user_id": list,
    "message": "Hello",
    "scheduled_timestamp": "2026-12-05T10:30:00",
    "is_sent": False,
    "created_at": WITHOUT_ZONE,
}
PROBLEM: Shape = {"type": str, "title": str, "status": int, "detail": str}
LINKED: Shape = {"linked": True, "linked_at": WITH_ZONE}


@dataclass(frozen=True)
class Row:
    """A request, and its response. `{name}` in it stands for a fact of the world.

    `status`: for every caller, but for those in `others`. `shape`: fields of the response, or of each item of a list.
    `keeps`: fields to remember, and their names.
    """

    where: str
    request: str
    status: int
    shape: Shape = field(default_factory=dict)
    body: Json | None = None
    form: Mapping[str, str] | None = None
    files: tuple[tuple[str, str, bytes], ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)


ADMINS_ONLY = {TOKEN: 403, JWT: 403}
NO_OTHERS = {JWT: 403}
"""A person who has signed in reaches themselves alone; see http.allow."""
INGEST = "POST /api/ingest"
SCHEDULE = "POST /schedule-message"
FORM = {"target_user_id": "{alice_id}", "message": "Hello", "scheduled_timestamp": "2026-12-05T10:30:00Z"}
TWO = {**FORM, "target_user_id": "{alice_id},{bob_id}"}

ROWS = (
    Row("D: dashboard endpoints", "GET /api/telegram/status", 200, {"linked": False, "linked_at": None}),
    Row("D: dashboard endpoints, a wrong code", "POST /api/telegram/verify", 400, PROBLEM, {"code": "{wrong_code}"}),
    Row("B: endpoints, not linked yet", "POST /api/telegram/send-test-message", 400, PROBLEM),
    Row("D: dashboard endpoints", "POST /api/telegram/verify", 200, LINKED, {"code": "{code}"}),
    Row("D: a code counts once", "POST /api/telegram/verify", 400, PROBLEM, {"code": "{code}"}),
    Row("D: dashboard endpoints, linked", "GET /api/telegram/status", 200, LINKED),
    Row("B: endpoints", "POST /api/telegram/send-test-message", 200),
    Row(
        "B: endpoints",
        "GET /api/telegram/link-account",
        200,
        {"url": re.compile(r"https://t\.me/\w+\?start=[\w-]+"), "token": str, "expires_at": WITH_ZONE},
        keeps={"token": "link_token"},
    ),
    Row("B: endpoints", "POST /api/telegram/verify-link", 200, {"linked": False}, {"token": "{link_token}"}),
    Row("B: codes, an unknown token", "POST /api/telegram/verify-link", 404, PROBLEM, {"token": "x" * 43}),
    Row("B: codes, no token", "POST /api/telegram/verify-link", 400, PROBLEM, {}),
    Row(
        "A: example, text to a channel",
        INGEST,
        202,
        ALERT,
        {"type": "text", "content": "ALERT: server down", "channel_id": "{ops}"},
        others=NO_OTHERS,
    ),
    Row("A: text to one's own chat", INGEST, 202, ALERT, {"type": "text", "content": "down", "channel_id": "{chat}"}),
    Row(
        "A: flow, the id as a number",
        INGEST,
        202,
        ALERT,
        {"type": "text", "content": "down", "channel_id": -1001},
        others=NO_OTHERS,
    ),
    Row(
        "A: flow, an image by URL",
        INGEST,
        202,
        ALERT,
        {"type": "image", "content": "https://files.example/graph.png", "channel_id": "{chat}"},
    ),
    Row("A: an image as base64", INGEST, 202, ALERT, {"type": "image", "content": PICTURE, "channel_id": "{chat}"}),
    Row(
        "A: image payloads, multipart",
        INGEST,
        202,
        ALERT,
        form={"type": "image", "channel_id": "{chat}"},
        files=(("content", "graph.png", PNG),),
    ),
    Row(
        "A: idempotency",
        INGEST,
        202,
        ALERT,
        {"type": "text", "content": "once", "channel_id": "{chat}", "client_id": "job-1"},
    ),
    Row(
        "A: idempotency, again",
        INGEST,
        200,
        {"id": MESSAGE_ID, "duplicate": True},
        {"type": "text", "content": "once", "channel_id": "{chat}", "client_id": "job-1"},
    ),
    Row("A: flow, no content", INGEST, 400, PROBLEM, {"type": "text", "channel_id": "{chat}"}),
    Row("A: flow, no channel", INGEST, 400, PROBLEM, {"type": "text", "content": "down"}),
    Row("A: flow, an unknown type", INGEST, 400, PROBLEM, {"type": "video", "content": "x", "channel_id": "{chat}"}),
    Row("D: send API", "POST /send", 200, NOTICE, {"user": "alice", "text": "*hi*", "parse_mode": "Markdown"}),
    Row("D: send API, parse_mode left out", "POST /send", 200, NOTICE, {"user": "alice", "text": "hi"}),
    Row("D: send API, no text", "POST /send", 400, PROBLEM, {"user": "alice"}),
    Row(
        "D: send API, an unknown user", "POST /send", 400, PROBLEM, {"user": "mallory", "text": "hi"}, others=NO_OTHERS
    ),
    Row(
        "D: send API, a picture by its path",
        "POST /send_photo",
        200,
        NOTICE,
        {"user": "alice", "photo_path": "{picture}", "caption": "a graph"},
        others={ADMIN: 403, TOKEN: 403, JWT: 403},  # over TCP, a path would be one of another machine
    ),
    Row(
        "D: send API, an uploaded picture",
        "POST /send_photo",
        200,
        NOTICE,
        form={"user": "alice", "caption": "a graph"},
        files=(("photo", "graph.png", PNG),),
    ),
    Row("D: send API", "GET /health", 200, {"status": "ok"}),
    Row("C: 4, subscribers", "GET /subscribed-users", 200, SUBSCRIBED, others=NO_OTHERS),
    Row(
        "C: 2, a chat",
        "POST /subscribe-user",
        200,
        {**SUBSCRIBED, "chat_id": "123456789", "chat_name": "JohnDoe"},
        {"chat_id": "123456789", "chat_name": "JohnDoe"},
        others=NO_OTHERS,
    ),
    Row(
        "C: 2, known already",
        "POST /subscribe-user",
        400,
        PROBLEM,
        {"chat_id": "123456789", "chat_name": "JohnDoe"},
        others=NO_OTHERS,
    ),
    Row("C: 2, no name", "POST /subscribe-user", 400, PROBLEM, {"chat_id": "1"}, others=NO_OTHERS),
    Row("C: 1, without files", SCHEDULE, 200, {**SCHEDULED, "file_paths": None}, form=FORM),
    Row(
        "C: 1, with files",
        SCHEDULE,
        200,
        {**SCHEDULED, "file_paths": re.compile(r"\['uploads/[\w-]+_1_document\.pdf', 'uploads/[\w-]+_2_image\.png'\]")},
        form=FORM,
        files=(("files", "document.pdf", b"%PDF-1.4 x"), ("files", "image.png", PNG)),
        keeps={"id": "scheduled"},
    ),
    Row("C: 1, two users", SCHEDULE, 200, SCHEDULED, form=TWO, others=NO_OTHERS),
    Row("C: 1, the timestamp", SCHEDULE, 400, PROBLEM, form={**FORM, "scheduled_timestamp": "tomorrow"}),
    Row("C: 1, no message", SCHEDULE, 400, PROBLEM, form={**FORM, "message": ""}),
    Row("C: 1, an unknown user", SCHEDULE, 400, PROBLEM, form={**FORM, "target_user_id": "user-123"}, others=NO_OTHERS),
    Row("C: 3, pending", "GET /pending-messages", 200, SCHEDULED),
    Row("C: uploads are served", "GET /files/{scheduled}_1_document.pdf", 200),
    Row("C: uploads, another file", "GET /files/{scheduled}_9_document.pdf", 404, PROBLEM),
    Row("C: 5, index", "GET /", 200, {"message": str, "endpoints": dict}),
    Row("B: verification, the jobs", "GET /api/admin/scheduler/status", 200, {"jobs": list}, others=ADMINS_ONLY),
    Row(
        "B: support, run the summary",
        "GET /api/admin/scheduler/jobs/telegram_daily_summary/trigger",
        200,
        {},
        others=ADMINS_ONLY,
    ),
    Row("B: codes, an unknown job", "POST /api/admin/scheduler/jobs/x/trigger", 404, PROBLEM, others=ADMINS_ONLY),
    Row("D: dashboard endpoints", "POST /api/telegram/unlink", 200, {"linked": False}),
    Row("B: endpoints, the second time", "POST /api/telegram/unlink-account", 200, {"linked": False}),
)
OPEN_TO_ALL = ("GET /", "GET /health")


@dataclass(frozen=True)
class Client:
    """A caller on one of the two listeners."""

    kind: str
    session: aiohttp.ClientSession

    async def ask(self, row: Row, facts: Mapping[str, str]) -> tuple[int, Any]:
        """Send a row's request; admins act for alice. Return the status and the JSON."""
        method, path = row.request.split(" ")
        as_user = "?user=alice" if self.kind in (SOCKET, ADMIN) and path.startswith("/api/telegram/") else ""
        data = None if row.form is None else _form(row, facts)
        body = None if row.body is None else _filled(row.body, facts)
        async with self.session.request(method, path.format_map(facts) + as_user, json=body, data=data) as response:
            payload = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, json.loads(payload) if is_json else None


def _form(row: Row, facts: Mapping[str, str]) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in (row.form or {}).items():
        form.add_field(name, value.format_map(facts))
    for name, file_name, content in row.files:
        form.add_field(name, content, filename=file_name)
    return form


def _filled(body: Json, facts: Mapping[str, str]) -> Json:
    return {name: value.format_map(facts) if isinstance(value, str) else value for name, value in body.items()}


def mismatches(row: Row, status: int, expected: int, found: Any) -> list[str]:
    if status != expected:
        return [f"{row.where}: {row.request} is {status}, not {expected}: {found}"]
    if not 200 <= status < 300:
        return _unlike(row, PROBLEM, found)
    return [line for each in (found if isinstance(found, list) else [found]) for line in _unlike(row, row.shape, each)]


def _unlike(row: Row, shape: Shape, found: Any) -> list[str]:
    return [
        f"{row.where}: {row.request}: {name} is {found.get(name, 'missing')!r}"
        for name, wanted in shape.items()
        if name not in found or not _fits(found[name], wanted)
    ]


def _fits(value: object, wanted: object) -> bool:
    match wanted:
        case re.Pattern():
            return wanted.fullmatch(str(value)) is not None
        case type():
            return isinstance(value, wanted)
    return value == wanted


@asynccontextmanager
async def client(world: World, kind: str) -> AsyncIterator[Client]:
    if kind == SOCKET:
        yield Client(kind, world.client)
        return
    headers = {} if kind == NOBODY else {"Authorization": f"Bearer {await _credential(world, kind)}"}
    assert world._daemon is not None
    base = f"http://127.0.0.1:{port_of(world._daemon.runner)}"
    async with aiohttp.ClientSession(base, headers=headers) as session:
        yield Client(kind, session)


async def _credential(world: World, kind: str) -> str:
    if kind == JWT:
        return signed(sub="alice")
    scopes = ["admin"] if kind == ADMIN else ["send", "read"]
    answer = await world.ask("POST", "/api/admin/tokens", {"name": "t", "account": "alice", "scopes": scopes})
    assert answer.status == 200, answer
    return str(answer.body["token"])


@dataclass(frozen=True)
class Stage:
    """A running daemon on both listeners, alice and bob, and a group. `facts` fill in the rows."""

    world: World
    alice: Person
    ops: Place
    facts: dict[str, str]


@pytest.fixture
async def stage(another: MakeWorld, tmp_path: Path) -> Stage:
    world = await another(http={"listen": "127.0.0.1:0", "jwt": {"secret": SECRET}})
    await world.starts()
    ops, alice, bob = world.group("Ops"), await world.subscriber("Alice"), await world.subscriber("Bob")
    people: Any = (await world.ask("GET", "/subscribed-users")).body
    ids = {each["chat_id"]: each["user_id"] for each in people}
    (code,) = CODE.findall("\n".join(alice.texts))
    picture = tmp_path / "graph.png"
    picture.write_bytes(PNG)
    facts = {
        "ops": str(ops.id),
        "chat": str(alice.id),
        "alice_id": ids[str(alice.id)],
        "bob_id": ids[str(bob.id)],
        "code": code,
        "wrong_code": "".join(str(9 - int(digit)) for digit in code),
        "picture": str(picture),
    }
    return Stage(world, alice, ops, facts)


@pytest.mark.parametrize("kind", [SOCKET, ADMIN, TOKEN, JWT])
async def test_every_documented_request_gets_its_documented_response(stage: Stage, kind: str) -> None:
    wrong: list[str] = []
    async with client(stage.world, kind) as caller:
        for row in ROWS:
            status, found = await caller.ask(row, stage.facts)
            wrong += mismatches(row, status, row.others.get(kind, row.status), found)
            stage.facts.update({name: str(found[key]) for key, name in row.keeps.items() if key in (found or {})})
    assert wrong == []


async def test_over_tcp_every_request_but_two_needs_credentials(stage: Stage) -> None:
    facts = {**stage.facts, "link_token": "x", "scheduled": "x"}
    async with client(stage.world, NOBODY) as caller:
        statuses = {row.request: (await caller.ask(row, facts))[0] for row in ROWS}
    assert statuses == {row.request: 200 if row.request in OPEN_TO_ALL else 401 for row in ROWS}


@pytest.mark.parametrize("kind", [SOCKET, TOKEN])
async def test_a_acknowledging_closes_the_alert_of_the_first_example(stage: Stage, kind: str) -> None:
    """A, flow: sent with an Acknowledge button; a press acknowledges and closes."""
    row = next(row for row in ROWS if row.where == "A: example, text to a channel")
    async with client(stage.world, kind) as caller:
        _, accepted = await caller.ask(row, stage.facts)
        post = await stage.ops.receives("ALERT: server down")
        assert post.buttons == OPEN
        await post.pressed(stage.world.member(stage.ops, "Ben"))
        found = await stage.world.get(f"/api/messages/{accepted['id']}")
    assert (found["status"], found["acknowledged_by"]["name"]) == ("closed", "Ben")


async def test_a_an_alert_escalates_after_15_minutes_and_closes_after_an_hour(stage: Stage) -> None:
    """A, flow: both jobs, with their defaults."""
    alert = await stage.world.alert("server down", to=stage.ops)
    await alert.becomes("sent")
    await stage.world.later(minutes=15)
    await stage.world.duty.receives("server down")
    await alert.becomes("escalated")
    await stage.world.later(minutes=45)
    await alert.becomes("closed")


async def test_c_files_follow_the_text_when_a_message_is_due(stage: Stage) -> None:
    """C, data flow, phase 3: the text, then each file as a document; then it is sent, and no longer pending."""
    row = next(row for row in ROWS if row.where == "C: 1, with files")
    async with client(stage.world, TOKEN) as caller:
        _, accepted = await caller.ask(row, stage.facts)
        await stage.world.sets_clock(days=300)
        await stage.world.is_quiet()
        pending = await caller.ask(Row("C: 3", "GET /pending-messages", 200), stage.facts)
    sent = await stage.world.get(f"/api/messages/{accepted['id']}")
    assert (pending, sent["status"]) == ((200, []), "sent")
    await stage.alice.receives("Hello")


async def test_b_without_a_bot_token_the_calls_that_need_telegram_are_400(another: MakeWorld) -> None:
    """B, partial rollback: an empty TELEGRAM_BOT_TOKEN switches Telegram off, and nothing else."""
    world = await another(telegram={"token": None})
    await world.starts()
    for method, path in (("GET", "link-account"), ("POST", "send-test-message")):
        assert (await world.ask(method, f"/api/telegram/{path}")).status == 400, path
    alert = {"type": "text", "content": "server down", "channel_id": "-1001"}
    assert (await world.ask("POST", "/api/ingest", alert)).status == 202
    assert (await world.ask("GET", "/api/admin/scheduler/status")).status == 200


def test_each_row_names_its_document_and_section() -> None:
    assert all(re.fullmatch(r"[A-D]: .+", row.where) for row in ROWS)
    named: Callable[[str], int] = lambda document: sum(row.where.startswith(document) for row in ROWS)  # noqa: E731
    assert all(named(document) >= 8 for document in "ABCD")
