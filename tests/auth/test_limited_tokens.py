"""Tokens with few rights: what they change notifies nobody else, and shows them nothing that they may not read."""

from pathlib import Path

import pytest

from tests.support.door import assert_problem
from tests.support.remote import Wire, wire

TEXT = "the password is swordfish"
VERBS = ["acknowledge", "unacknowledge", "snooze", "close", "cancel", "retry"]


async def sent(line: Wire, token: str, **fields: object) -> str:
    answer = await line.bearing(token, "POST", "/api/ingest", {"content": TEXT, "channel_id": -1002, **fields})
    assert answer.status == 202, answer
    return str(answer.json["id"])


@pytest.mark.parametrize("verb", VERBS)
async def test_a_token_for_one_chat_notifies_no_other_again(folder: Path, verb: str) -> None:
    """Both tokens act for one account; the message was sent with the wider one."""
    async with wire(folder) as line:
        wide = await line.token("wide", account="bob", scopes=["send", "read"])
        narrow = await line.token("narrow", account="bob", scopes=["send", "read"], to=["-1001"])
        message = await sent(line, wide)
        body = {"for": "1h"} if verb == "snooze" else None
        if verb == "unacknowledge":
            await line.bearing(wide, "POST", f"/api/messages/{message}/acknowledge")

        answer = await line.bearing(narrow, "POST", f"/api/messages/{message}/{verb}", body)

        if verb in ("unacknowledge", "snooze", "retry"):
            assert_problem(answer, 403)
        else:
            assert answer.status in (200, 409), answer


@pytest.mark.parametrize("verb", ["acknowledge", "close", "snooze", "cancel", "edit"])
async def test_a_token_that_may_only_send_reads_nothing_by_changing(folder: Path, verb: str) -> None:
    async with wire(folder) as line:
        sender = await line.token("sender", scopes=["send"])
        kind = {"send_at": "2030-01-01T00:00:00Z"} if verb == "cancel" else {}
        message = await sent(line, sender, title="Top secret", data={"a": "swordfish"}, **kind)
        path = f"/api/messages/{message}"

        if verb == "edit":
            answer = await line.bearing(sender, "PATCH", path, {"title": "x"})
        else:
            answer = await line.bearing(sender, "POST", f"{path}/{verb}", {"for": "1h"} if verb == "snooze" else None)

        assert (answer.status, answer.json["id"]) == (200, message)
        assert "swordfish" not in str(answer.json)
        assert (answer.json["title"], answer.json["to"], answer.json["deliveries"]) == (None, [], [])


async def test_a_token_that_may_only_send_pauses_a_schedule_without_reading_it(folder: Path) -> None:
    async with wire(folder) as line:
        sender = await line.token("sender", scopes=["send"])
        body = {"content": TEXT, "channel_id": -1001, "repeat": "every 1h", "acknowledge": False}
        schedule = (await line.bearing(sender, "POST", "/api/ingest", body)).json["schedule_id"]

        answer = await line.bearing(sender, "POST", f"/api/schedules/{schedule}/pause")

        assert (answer.status, answer.json["message"]) == (200, None)


async def test_with_the_scope_read_the_whole_message_is_answered(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token(scopes=["send", "read"])
        message = await sent(line, token)
        answer = await line.bearing(token, "POST", f"/api/messages/{message}/acknowledge")
        assert answer.json["content"] == TEXT
