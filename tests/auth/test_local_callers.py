"""Local callers: identity, visibility and allowed recipients. Every caller is a process of another account."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.door import Answer, Door, Json, assert_problem, door

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can call under other accounts")

NOBODY, SOMEBODY = 65534, 54321
"""The first is a user of the machine, `nobody` in the group `nogroup`; the second is unknown to it."""
CALL = """
import json, os, socket, sys
path, uid, request = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.setgroups([]); os.setgid(uid); os.setuid(uid)
with socket.socket(socket.AF_UNIX) as line:
    line.connect(path)
    line.sendall(request.encode())
    with line.makefile("rb") as answer:
        sys.stdout.buffer.write(answer.read())
"""


async def call(opened: Door, uid: int, method: str, target: str, body: Json | None = None) -> Answer:
    """Call as this account."""
    data = "" if body is None else json.dumps(body)
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    command = [sys.executable, "-S", "-c", CALL, str(opened.path), str(uid), head + data]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=True)
    head, _, rest = done.stdout.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return Answer(
        int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, rest.encode()
    )


def world(folder: Path, more: str = "") -> str:
    return f'socket: {{path: {folder}/s, mode: "0666"{more}}}'


MESSAGE: Json = {"content": "disk full", "channel_id": -1001}


async def test_the_kernel_says_who_sent_a_message(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        for uid, account in ((NOBODY, "nobody"), (SOMEBODY, "uid:54321")):
            message_id = (await call(opened, uid, "POST", "/api/ingest", MESSAGE)).json["id"]
            found = (await opened.ask("GET", f"/api/messages/{message_id}")).json
            assert (found["account"], found["source"]) == (account, account)
            assert found["timeline"][0]["actor"] == f"account:{account}"


async def test_callers_see_their_own_messages_and_root_sees_all(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        by_root = (await opened.ingest()).json["id"]
        own = {uid: (await call(opened, uid, "POST", "/api/ingest", MESSAGE)).json["id"] for uid in (NOBODY, SOMEBODY)}
        for uid, message_id in own.items():
            listed = (await call(opened, uid, "GET", "/api/messages")).json["messages"]
            assert [message["id"] for message in listed] == [message_id]
            assert (await call(opened, uid, "GET", f"/api/messages/{message_id}")).status == 200
        everybodys = (await opened.ask("GET", "/api/messages")).json["messages"]
        assert {message["id"] for message in everybodys} == {by_root, *own.values()}


async def test_messages_of_other_accounts_can_be_neither_read_nor_acknowledged(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        message_id = (await opened.ingest()).json["id"]
        assert_problem(await call(opened, NOBODY, "GET", f"/api/messages/{message_id}"), 404)
        for verb in ("acknowledge", "close", "cancel"):
            assert_problem(await call(opened, NOBODY, "POST", f"/api/messages/{message_id}/{verb}"), 404)
        assert (await opened.ask("GET", f"/api/messages/{message_id}")).json["status"] == "initiated"


async def test_a_filter_does_not_show_messages_of_other_accounts(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        secret = (await opened.ingest(source="payroll")).json["id"]
        for query in ("source=payroll", "status=initiated", f"cursor={secret[:-1]}f", "source=root"):
            assert (await call(opened, NOBODY, "GET", f"/api/messages?{query}")).json["messages"] == []


async def test_the_owner_acknowledges_under_their_own_name(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        message_id = (await call(opened, NOBODY, "POST", "/api/ingest", MESSAGE)).json["id"]
        answered = (await call(opened, NOBODY, "POST", f"/api/messages/{message_id}/acknowledge")).json
        assert (answered["status"], answered["acknowledged_by"]) == ("closed", {"account": "nobody"})


async def test_a_member_of_an_admin_group_sees_all(folder: Path) -> None:
    async with door(folder, world(folder, ", admin_groups: [nogroup, no-such-group]")) as opened:
        message_id = (await opened.ingest()).json["id"]
        assert (await call(opened, NOBODY, "GET", f"/api/messages/{message_id}")).status == 200
        assert_problem(await call(opened, SOMEBODY, "GET", f"/api/messages/{message_id}"), 404)


async def test_the_same_client_id_of_two_accounts_names_two_messages(folder: Path) -> None:
    async with door(folder, world(folder)) as opened:
        fields = MESSAGE | {"client_id": "nightly"}
        answers = [await call(opened, uid, "POST", "/api/ingest", fields) for uid in (NOBODY, SOMEBODY, NOBODY)]
        assert [answer.json["duplicate"] for answer in answers] == [False, False, True]
        assert answers[0].json["id"] == answers[2].json["id"] != answers[1].json["id"]


@pytest.mark.parametrize(
    ("allow", "channel", "status"),
    [
        ('["-1001"]', -1001, 202),
        ('["-1001"]', "-01001", 202),
        ('["-1001"]', -1002, 403),
        ('["@ops_room"]', "@Ops_Room", 202),
        ('["@Ops_Room"]', "@ops_room", 202),
        ('["@ops_room"]', "@ops_room2", 403),
        ("[]", -1001, 403),
        ('["-1001", "*"]', -1002, 202),
    ],
)
async def test_callers_may_send_to_whom_the_socket_allows(
    folder: Path, allow: str, channel: object, status: int
) -> None:
    async with door(folder, world(folder, f", allow: {allow}")) as opened:
        answer = await call(opened, NOBODY, "POST", "/api/ingest", MESSAGE | {"channel_id": channel})
        assert answer.status == status
        if status == 403:
            assert "socket.allow" in assert_problem(answer, 403)["hint"]
            assert (await opened.kept())["messages"] == 0
        assert (await opened.ingest(channel_id=channel)).status == 202  # root is an admin


async def test_a_person_who_is_not_allowed_cannot_be_sent_to_by_any_route(folder: Path) -> None:
    async with door(folder, world(folder, ', allow: ["-1001"]')) as opened:
        person = (await opened.ask("POST", "/subscribe-user", {"chat_id": 7, "chat_name": "anna"})).json["user_id"]
        for path, fields in (
            ("/send", {"user": person, "text": "x"}),
            ("/api/ingest", {"user": person, "content": "x"}),
        ):
            assert_problem(await call(opened, NOBODY, "POST", path, fields), 403)


async def test_a_caller_without_permission_cannot_find_out_which_users_exist(folder: Path) -> None:
    async with door(folder, world(folder, ', allow: ["-1001"]')) as opened:
        answer = await call(opened, NOBODY, "POST", "/send", {"user": "no-such-person", "text": "x"})
        assert "There is no user" not in assert_problem(answer, 403)["detail"]


async def test_a_user_without_access_to_the_socket_cannot_connect(folder: Path) -> None:
    async with door(folder) as opened:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            await call(opened, NOBODY, "GET", "/health")
        assert b"PermissionError" in refused.value.stderr
