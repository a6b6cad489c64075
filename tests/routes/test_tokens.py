"""API tokens on TCP: permissions, expiry, and invalid tokens."""

from pathlib import Path

import pytest

from notifybot.auth import tokens
from tests.support.door import Json, assert_problem
from tests.support.remote import MESSAGE, wire


async def test_a_token_sends_as_its_account(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token("backup", account="root")
        sent = await line.bearing(token, "POST", "/api/ingest", MESSAGE)
        assert sent.status == 202
        found = (await line.socket.ask("GET", f"/api/messages/{sent.json['id']}")).json
        assert (found["account"], found["source"], found["timeline"][0]["actor"]) == ("root", "root", "account:root")


async def test_a_token_without_an_account_is_one_by_its_name(folder: Path) -> None:
    async with wire(folder) as line:
        sent = await line.bearing(await line.token("backup"), "POST", "/api/ingest", MESSAGE)
        assert (await line.socket.ask("GET", f"/api/messages/{sent.json['id']}")).json["account"] == "backup"


async def test_without_a_token_only_the_status_is_shown(folder: Path) -> None:
    async with wire(folder) as line:
        for method, path in (("POST", "/api/ingest"), ("GET", "/api/messages"), ("GET", "/subscribed-users")):
            refused = await line.ask(method, path)
            assert_problem(refused, 401)
            assert refused.headers["www-authenticate"] == 'Bearer realm="notifybot"'
        health = await line.ask("GET", "/health")
        assert (health.status, health.json) == (200, {"status": "degraded"})
        assert "version" not in (await line.ask("GET", "/")).json


async def test_a_bearer_sees_the_whole_health(folder: Path) -> None:
    async with wire(folder) as line:
        health = await line.bearing(await line.token(scopes=["read"]), "GET", "/health")
        assert {"status", "waiting", "warnings", "version"} <= health.json.keys()


@pytest.mark.parametrize(
    "header", ["Bearer nb_wrong", "Bearer x.y.z", "Bearer \xe9", "Basic cm9vdDpyb290", "Bearer", "nb_wrong"]
)
async def test_an_invalid_token_is_refused(folder: Path, header: str) -> None:
    async with wire(folder) as line:
        for path in ("/api/messages", "/health"):
            refused = await line.ask("GET", path, Authorization=header)
            assert_problem(refused, 401)
            assert refused.headers["www-authenticate"].startswith("Bearer ")


async def test_a_restricted_token_cannot_change_messages_to_other_recipients(folder: Path) -> None:
    async with wire(folder) as line:
        free, bounded = await line.token("free", account="anna"), await line.token("few", account="anna", to=["-1002"])
        told = {
            chat: (await line.bearing(free, "POST", "/api/ingest", MESSAGE | {"channel_id": chat})).json["id"]
            for chat in (-1001, -1002)
        }
        newer: Json = {"content": "something else"}
        assert_problem(await line.bearing(bounded, "PATCH", f"/api/messages/{told[-1001]}", newer), 403)
        assert (await line.bearing(bounded, "PATCH", f"/api/messages/{told[-1002]}", newer)).status == 200
        found = (await line.socket.ask("GET", f"/api/messages/{told[-1001]}")).json
        assert found["content"] == MESSAGE["content"]


async def test_two_tokens_in_one_request_are_refused(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token(scopes=["read"])
        head = (
            f"GET /api/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
        )
        assert_problem(await line.raw(f"{head}Authorization: Bearer {token}\r\n\r\n".encode()), 401)


async def test_a_revoked_token_is_refused_at_once(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token("old", scopes=["read"])
        assert (await line.bearing(token, "GET", "/api/messages")).status == 200
        assert (await line.socket.ask("DELETE", "/api/admin/tokens/old")).json["revoked_at"]
        refused = await line.bearing(token, "GET", "/api/messages")
        assert_problem(refused, 401)
        assert refused.headers["www-authenticate"] == 'Bearer realm="notifybot", error="invalid_token"'


async def test_revoking_twice_changes_nothing(folder: Path) -> None:
    async with wire(folder) as line:
        await line.token("old")
        first, second = [await line.socket.ask("DELETE", "/api/admin/tokens/old") for _ in range(2)]
        assert (first.status, first.json) == (second.status, second.json)


async def test_a_revoked_name_can_be_given_again_and_the_old_secret_stays_void(folder: Path) -> None:
    async with wire(folder) as line:
        old = await line.token("ci", scopes=["read"])
        assert_problem(await line.socket.ask("POST", "/api/admin/tokens", {"name": "ci"}), 409)
        await line.socket.ask("DELETE", "/api/admin/tokens/ci")
        new = await line.token("ci", scopes=["read"])
        assert_problem(await line.bearing(old, "GET", "/api/messages"), 401)
        assert (await line.bearing(new, "GET", "/api/messages")).status == 200


async def test_an_unknown_name_is_refused_with_a_suggestion(folder: Path) -> None:
    async with wire(folder) as line:
        await line.token("backup")
        refused = await line.socket.ask("DELETE", "/api/admin/tokens/bakup")
        assert "backup" in assert_problem(refused, 404)["hint"]


async def test_a_secret_is_shown_once_and_not_kept(folder: Path) -> None:
    async with wire(folder) as line:
        made = await line.socket.ask("POST", "/api/admin/tokens", {"name": "ci", "expires": "1d", "to": [-1001]})
        secret = made.json["token"]
        assert secret.startswith(tokens.PREFIX)
        assert made.headers["cache-control"] == "no-store"
        listed = await line.socket.ask("GET", "/api/admin/tokens")
        assert secret not in listed.body.decode()
        [token] = listed.json["tokens"]
        assert token == {name: value for name, value in made.json.items() if name != "token"}
        assert (token["to"], token["scopes"], token["created_by"]) == (["-1001"], ["send"], "account:root")
        kept = b"".join(path.read_bytes() for path in (folder / "data").glob("notifybot.sqlite3*"))
        assert secret.encode() not in kept


async def test_the_last_use_is_kept(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token("ci", scopes=["read"])
        assert (await line.socket.ask("GET", "/api/admin/tokens")).json["tokens"][0]["last_used_at"] is None
        await line.bearing(token, "GET", "/api/messages")
        assert (await line.socket.ask("GET", "/api/admin/tokens")).json["tokens"][0]["last_used_at"] is not None


async def test_a_bounded_token_sends_to_its_recipients_alone(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token(to=["-1001"])
        assert (await line.bearing(token, "POST", "/api/ingest", MESSAGE)).status == 202
        for fields in ({"channel_id": -1002}, {"channel_id": "@elsewhere"}):
            assert_problem(await line.bearing(token, "POST", "/api/ingest", MESSAGE | fields), 403)
        newcomer = {"chat_id": 7, "chat_name": "anna"}
        assert_problem(await line.bearing(token, "POST", "/subscribe-user", newcomer), 403)


async def test_a_token_without_recipients_sends_to_whom_the_socket_allows(folder: Path) -> None:
    async with wire(folder, config=f'socket: {{path: {folder}/s, allow: ["-1001"]}}') as line:
        token = await line.token()
        assert (await line.bearing(token, "POST", "/api/ingest", MESSAGE)).status == 202
        assert_problem(await line.bearing(token, "POST", "/api/ingest", MESSAGE | {"channel_id": -1002}), 403)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes"),
        ({"name": "x", "scopes": "send"}, "scopes"),
        ({"name": "x", "to": []}, "to"),
        ({"name": "x", "to": ["a b"]}, "to"),
        ({"name": "x", "to": [True]}, "to"),
        ({"name": "x", "account": "*"}, "account"),
        ({"name": "x", "expires": "soon"}, "expires"),
        ({"name": "x", "scope": ["send"]}, "scope"),
    ],
)
async def test_an_invalid_token_request_is_refused_with_the_field(folder: Path, fields: object, field: str) -> None:
    async with wire(folder) as line:
        refused = await line.socket.ask("POST", "/api/admin/tokens", fields)
        assert [each["loc"] for each in assert_problem(refused, 400)["errors"]] == [[field]]


async def test_an_admin_token_cannot_be_bounded(folder: Path) -> None:
    async with wire(folder) as line:
        asked = {"name": "x", "scopes": ["admin"], "to": ["-1001"]}
        assert_problem(await line.socket.ask("POST", "/api/admin/tokens", asked), 400)


async def test_a_path_of_this_machine_is_for_callers_of_the_socket(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token(scopes=["admin"])
        asked = {"user": "root", "photo_path": "/etc/passwd"}
        assert_problem(await line.bearing(token, "POST", "/send_photo", asked), 403)
