"""People who sign in with a JWT: their own account, chat and messages, and no more unless `http.allow` says so."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.door import CHAT, Answer, assert_problem
from tests.support.keys import SECRET, signed
from tests.support.remote import Wire, wire

CHATS = {"alice": "71", "john": "72"}
NAMES = "recipients: {team: [alice, john], alices: [alice], bob: [john], self: [john]}"
ALICE, JOHN = "alice", "john"


@dataclass(frozen=True)
class Row:
    """A request of alice, and the status of its response with `http.allow: [self]`."""

    method: str
    path: str
    body: object = None
    status: int = 200
    with_everyone: int | None = None
    """The status with `http.allow: ["*"]`, if it differs."""


def to(**fields: object) -> dict[str, object]:
    return {"content": "disk full", **fields}


ROWS = {
    "an alert to herself": Row("POST", "/api/ingest", to(user=ALICE), 202),
    "an alert to her chat": Row("POST", "/api/ingest", to(channel_id=CHATS[ALICE]), 202),
    "an alert to a name for herself": Row("POST", "/api/ingest", to(to=["alices"]), 202),
    "a notice to herself": Row("POST", "/send", {"user": ALICE, "text": "hi"}),
    "an event to herself": Row("POST", "/api/events", {"event": "post_success", "user": ALICE}, 202),
    "an alert to john": Row("POST", "/api/ingest", to(user=JOHN), 403, 202),
    "an alert to john's chat": Row("POST", "/api/ingest", to(channel_id=CHATS[JOHN]), 403, 202),
    "an alert to a group": Row("POST", "/api/ingest", to(channel_id=CHAT), 403, 202),
    "an alert to a topic": Row("POST", "/api/ingest", to(channel_id=f"{CHAT}:7"), 403, 202),
    "an alert to a team with her": Row("POST", "/api/ingest", to(to=["team"]), 403, 202),
    "an alert to her and john": Row("POST", "/api/ingest", to(to=[ALICE, JOHN]), 403, 202),
    "an alert to everyone": Row("POST", "/api/ingest", to(to=["subscribers"]), 403, 202),
    "a name that does not exist": Row("POST", "/api/ingest", to(user="jonn"), 403, 400),
    "a notice to john": Row("POST", "/send", {"user": JOHN, "text": "hi"}, 403, 200),
    "an event to john": Row("POST", "/api/events", {"event": "post_success", "user": JOHN}, 403, 202),
    "a policy that leads to john": Row(
        "POST", "/api/ingest", to(user=ALICE, policy={"steps": [{"after": "5m", "to": [JOHN]}]}), 403, 202
    ),
    "the subscribers": Row("GET", "/subscribed-users", None, 403, 200),
    "who is on call": Row("GET", "/api/oncall", None, 403, 200),
    "a chat to subscribe": Row("POST", "/subscribe-user", {"chat_id": "73", "chat_name": "x"}, 403, 200),
    "her messages": Row("GET", "/api/messages"),
    "her schedules": Row("GET", "/api/schedules"),
    "her pending messages": Row("GET", "/pending-messages"),
    "her link": Row("GET", "/api/telegram/status"),
    "her preferences": Row("PATCH", "/api/telegram/preferences", {"enabled": True}),
    "john's link": Row("GET", "/api/telegram/status?user=john", None, 403),
    "john's preferences": Row("PATCH", "/api/telegram/preferences", {"user": JOHN, "enabled": True}, 403),
    "herself": Row("GET", "/api/people/alice"),
    "john": Row("GET", "/api/people/john", None, 403),
    "the jobs": Row("GET", "/api/admin/scheduler/status", None, 403),
    "the tokens": Row("GET", "/api/admin/tokens", None, 403),
}


@contextlib.asynccontextmanager
async def dashboard(folder: Path, http: str = "", config: str = NAMES) -> AsyncIterator[Wire]:
    """Run a daemon that trusts a dashboard's JWTs; alice and john are linked."""
    async with wire(folder, f"jwt: {{secret: '{SECRET}'}}{http}", config) as line:
        people = [{"account": account, "chat_id": chat, "chat_name": account} for account, chat in CHATS.items()]
        assert (await line.socket.ask("POST", "/api/admin/import", {"people": people})).status == 200
        yield line


async def ask(line: Wire, row: Row, token: str) -> Answer:
    return await line.bearing(token, row.method, row.path, row.body)


async def test_a_person_reaches_what_is_theirs(folder: Path) -> None:
    async with dashboard(folder) as line:
        statuses = {name: (await ask(line, row, signed())).status for name, row in ROWS.items()}
    assert statuses == {name: row.status for name, row in ROWS.items()}


async def test_http_allow_opens_the_rest_except_other_accounts(folder: Path) -> None:
    async with dashboard(folder, ", allow: ['*']") as line:
        statuses = {name: (await ask(line, row, signed())).status for name, row in ROWS.items()}
    assert statuses == {name: row.with_everyone or row.status for name, row in ROWS.items()}


async def test_http_allow_can_name_recipients(folder: Path) -> None:
    async with dashboard(folder, f", allow: [self, bob, '{CHAT}']") as line:
        for name, status in {
            "an alert to herself": 202,
            "an alert to a group": 202,
            "an alert to john": 202,
            "an alert to john's chat": 202,
            "an alert to a team with her": 202,
            "an alert to everyone": 403,
            "the subscribers": 403,
            "a chat to subscribe": 403,
        }.items():
            assert (await ask(line, ROWS[name], signed())).status == status, name


async def test_an_empty_list_allows_nobody(folder: Path) -> None:
    async with dashboard(folder, ", allow: []") as line:
        assert_problem(await ask(line, ROWS["an alert to herself"], signed()), 403)
        assert (await ask(line, ROWS["her messages"], signed())).status == 200


@pytest.mark.parametrize("account", ["team", "self", "bob"])
async def test_an_account_spelled_like_a_name_in_the_config_is_a_person(folder: Path, account: str) -> None:
    """Nobody reaches a group, or another account, by signing in under its name."""
    async with dashboard(folder) as line:
        token = signed(sub=account)
        assert_problem(await line.bearing(token, "POST", "/api/ingest", to(to=[account])), 403)
        assert_problem(await line.bearing(token, "POST", "/api/ingest", to(user=JOHN)), 403)


async def test_an_alias_of_an_account_is_the_same_person(folder: Path) -> None:
    config = f"{NAMES}\naccounts: {{alice@example.org: alice}}"
    async with dashboard(folder, config=config) as line:
        token = signed(sub="alice@example.org")
        for name in ("an alert to herself", "an alert to her chat"):
            assert (await ask(line, ROWS[name], token)).status == 202, name
        assert_problem(await ask(line, ROWS["an alert to john"], token), 403)


async def test_a_person_who_is_not_linked_is_told_so(folder: Path) -> None:
    async with dashboard(folder) as line:
        assert_problem(await line.bearing(signed(sub="carol"), "POST", "/api/ingest", to(user="carol")), 409)
        assert_problem(await line.bearing(signed(sub="carol"), "POST", "/api/ingest", to(user=ALICE)), 403)


async def test_a_token_and_the_socket_keep_their_rights(folder: Path) -> None:
    async with dashboard(folder) as line:
        token = await line.token("dashboard", account=ALICE, scopes=["send", "read"])
        for name in ("an alert to john", "an alert to a group"):
            assert (await ask(line, ROWS[name], token)).status == 202, name
            assert (await line.socket.ask("POST", "/api/ingest", ROWS[name].body)).status == 202
        assert (await ask(line, ROWS["the subscribers"], token)).status == 200
        assert (await line.socket.ask("GET", "/subscribed-users")).status == 200


async def test_a_token_may_be_limited_to_its_own_account(folder: Path) -> None:
    async with dashboard(folder) as line:
        token = await line.token("own", account=ALICE, scopes=["send"], to=["self"])
        assert (await ask(line, ROWS["an alert to herself"], token)).status == 202
        assert_problem(await ask(line, ROWS["an alert to john"], token), 403)


async def test_messages_of_others_do_not_exist_for_a_person(folder: Path) -> None:
    async with dashboard(folder) as line:
        message = (await line.socket.ask("POST", "/api/ingest", to(user=ALICE))).json["id"]
        for method, verb in (("GET", ""), ("POST", "/acknowledge"), ("POST", "/close"), ("PATCH", "")):
            body = {"title": "x"} if method == "PATCH" else None
            assert_problem(await line.bearing(signed(), method, f"/api/messages/{message}{verb}", body), 404)


async def test_health_tells_a_person_the_status_alone(folder: Path) -> None:
    async with dashboard(folder) as line:
        assert (await line.bearing(signed(), "GET", "/health")).json == {"status": "degraded"}
        token = await line.token(scopes=["read"])
        assert "warnings" in (await line.bearing(token, "GET", "/health")).json


async def test_a_refusal_says_what_to_do(folder: Path) -> None:
    async with dashboard(folder) as line:
        for name in ("the subscribers", "a chat to subscribe", "an alert to john"):
            assert "http.allow" in assert_problem(await ask(line, ROWS[name], signed()), 403)["hint"], name
