"""Permissions to link, read and change accounts. Every caller is a process of another account."""

import os
from pathlib import Path

import pytest

from tests.auth.test_local_callers import NOBODY, call, world
from tests.support.door import Door, Json, assert_problem, door

CALLS: list[tuple[str, str, Json]] = [
    ("POST", "/api/telegram/verify-link", {"token": "x"}),
    ("POST", "/api/telegram/verify", {"code": "123456"}),
    ("POST", "/api/telegram/send-test-message", {}),
    ("POST", "/api/telegram/unlink-account", {}),
    ("POST", "/api/telegram/unlink", {}),
    ("PATCH", "/api/telegram/preferences", {"enabled": False}),
]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can call under other accounts")


@needs_root
@pytest.mark.parametrize(("method", "path", "fields"), CALLS)
async def test_only_admins_can_name_another_account(folder: Path, method: str, path: str, fields: Json) -> None:
    async with door(folder, world(folder)) as opened:
        for named in (call(opened, NOBODY, method, path, {**fields, "user": "alice"}),
                      call(opened, NOBODY, method, f"{path}?user=alice", fields)):  # fmt: skip
            assert_problem(await named, 403)
        for own in ({**fields, "user": "nobody"}, fields):
            assert (await call(opened, NOBODY, method, path, own)).status != 403
        assert (await opened.ask(method, path, {**fields, "user": "alice"})).status != 403


@needs_root
@pytest.mark.parametrize("path", ["/api/telegram/link-account", "/api/telegram/status"])
async def test_only_admins_see_the_status_of_other_accounts(folder: Path, path: str) -> None:
    async with door(folder, world(folder)) as opened:
        assert_problem(await call(opened, NOBODY, "GET", f"{path}?user=alice"), 403)
        assert (await call(opened, NOBODY, "GET", path)).status != 403
        assert (await opened.ask("GET", f"{path}?user=alice")).status != 403


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "path", "fields", "loc"),
    [
        ("POST", "/api/telegram/verify", {}, "code"),
        ("POST", "/api/telegram/verify", {"code": 123456}, "code"),
        ("POST", "/api/telegram/verify", {"code": "1", "usr": "alice"}, "usr"),
        ("POST", "/api/telegram/verify-link", {"token": "\ud800"}, "token"),
        ("POST", "/api/telegram/unlink", {"user": ""}, "user"),
        ("POST", "/api/telegram/unlink", {"user": "alice\nbob"}, "user"),
        ("POST", "/api/telegram/unlink", {"user": "subscribers"}, "user"),
        ("POST", "/api/telegram/unlink", {"user": 0.5}, "user"),
        ("POST", "/api/telegram/send-test-message", {"user": "x" * 129}, "user"),
        ("PATCH", "/api/telegram/preferences", {"enabled": "yes"}, "enabled"),
        ("PATCH", "/api/telegram/preferences", {"muted": True}, "muted"),
        ("GET", "/api/telegram/status?usr=x", None, "usr"),
        ("GET", "/api/telegram/link-account?qr=1", None, "qr"),
        ("POST", "/api/telegram/unlink?user=a&user=b", {}, "user"),
    ],
)
async def test_an_invalid_field_is_named(refusing: Door, method: str, path: str, fields: Json | None, loc: str) -> None:
    answer = await refusing.ask(method, path, fields)

    assert_problem(answer, 400)
    assert answer.json["errors"][0]["loc"] == [loc]


@needs_root
async def test_admins_manage_people_and_others_see_only_themselves(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        user_id = (await opened.ask("POST", "/subscribe-user", {"chat_id": 7, "chat_name": "anna"})).json["user_id"]
        assert (await call(opened, NOBODY, "GET", "/api/people")).json == {"people": []}
        assert_problem(await call(opened, NOBODY, "GET", f"/api/people/{user_id}"), 403)
        assert_problem(await call(opened, NOBODY, "GET", "/api/people/nobody"), 404)
        assert_problem(await call(opened, NOBODY, "PATCH", f"/api/people/{user_id}", {"chat_name": "x"}), 403)
        assert_problem(await call(opened, NOBODY, "DELETE", f"/api/people/{user_id}"), 403)
        assert [each["user_id"] for each in (await opened.ask("GET", "/api/people")).json["people"]] == [user_id]
