"""Recipients allowed by `socket.allow`: names, and everyone behind them."""

import os
from pathlib import Path

import pytest

from tests.auth.test_local_callers import NOBODY, call
from tests.support.door import Door, Json, assert_problem, door

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can call under other accounts")
NAMES = "\nrecipients: {oncall: [ops, '-1002'], ops: ['-1001'], all: [oncall, '@status']}"


def config(folder: Path, allow: str) -> str:
    return f'socket: {{path: {folder}/s, mode: "0666", allow: {allow}}}{NAMES}'


async def status(opened: Door, **fields: object) -> int:
    body: Json = {"content": "disk full", **fields}
    return (await call(opened, NOBODY, "POST", "/api/ingest", body)).status


async def test_an_allowed_name_allows_everyone_behind_it(folder: Path) -> None:
    async with door(folder, config(folder, "[oncall]")) as opened:
        for to in (["oncall"], ["ops"], [-1002, "-1001"], ["oncall", "ops"]):
            assert await status(opened, to=to) == 202, to
        assert await status(opened, channel_id=-1001) == 202
        for to in (["all"], ["@status"], ["oncall", -1003], ["subscribers"], ["nobody"]):
            assert await status(opened, to=to) == 403, to


async def test_an_allowed_person_is_allowed_by_any_alias(folder: Path) -> None:
    async with door(folder, config(folder, '["7"]')) as opened:
        person = (await opened.ask("POST", "/subscribe-user", {"chat_id": 7, "chat_name": "anna"})).json["user_id"]
        other = (await opened.ask("POST", "/subscribe-user", {"chat_id": 8, "chat_name": "ben"})).json["user_id"]
        for fields, expected in (
            ({"user": person}, 202),
            ({"user": person.upper()}, 202),
            ({"to": [person, 7]}, 202),
            ({"user": other}, 403),
            ({"to": [person, other]}, 403),
            ({"to": ["subscribers"]}, 403),
        ):
            assert await status(opened, **fields) == expected, fields


async def test_a_restricted_caller_cannot_update_a_message_to_others_by_its_key(folder: Path) -> None:
    """A less restricted caller of the same account may have used the dedup key first."""
    body: Json = {"content": "disk full", "channel_id": -1003, "dedup_key": "disk"}
    async with door(folder, config(folder, '["*"]')) as opened:
        first = (await call(opened, NOBODY, "POST", "/api/ingest", body)).json["id"]
    async with door(folder, config(folder, "[oncall]")) as opened:
        for more in ({"content": "something else"}, {"action": "resolve"}):
            assert_problem(await call(opened, NOBODY, "POST", "/api/ingest", body | more), 403)
        found = (await opened.ask("GET", f"/api/messages/{first}")).json
        assert (found["content"], found["repeats"], found["resolved_at"]) == ("disk full", 0, None)


async def test_a_group_allows_its_topics_and_a_topic_allows_nothing_else_of_its_group(folder: Path) -> None:
    async with door(folder, config(folder, '["-1001", "-1002:7"]')) as opened:
        for to in ("-1001", "-1001:3", "-1002:7"):
            assert await status(opened, channel_id=to) == 202, to
        for to in ("-1002", "-1002:8", "-1003:7"):
            assert await status(opened, channel_id=to) == 403, to
