"""The real daemon, killed by a message that it prepares: after three deaths that message is given up, and no other."""

import asyncio
import signal
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector

from benchmarks.lab.lab import Lab
from benchmarks.lab.process import prepare
from benchmarks.lab.steps import Kill, Step

pytestmark = pytest.mark.crash
KILLER = "*disk full* on db1\n" * 1000
BYSTANDER = "*all well* on db2\n" * 1000
REASON = "notifybot died three times while preparing this message."


async def accept(http: ClientSession, chat_id: int, content: str, **fields: object) -> str:
    body = {"channel_id": chat_id, "content": content, "parse_mode": "MarkdownV2", **fields}
    async with http.post("/api/ingest", json=body) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["id"])


async def test_a_message_that_kills_the_daemon_three_times_is_a_dead_letter_and_its_alert_escalates(lab: Lab) -> None:
    lab.sandbox.fault("away")
    first = await lab.start()
    async with ClientSession("http://notifybot", connector=UnixConnector(str(lab.home.socket))) as http:
        alert = await accept(http, lab.chat_ids[0], KILLER, title="db1")
        await accept(http, lab.chat_ids[1], "short")
    await lab.kill(first)
    lab.sandbox.clear_faults()

    for _ in range(3):
        life = await lab.keep(prepare(lab.home, Kill(Step.RENDER)))
        life.go()
        assert await life.end() == -signal.SIGKILL
    await lab.start()

    async with ClientSession("http://notifybot", connector=UnixConnector(str(lab.home.socket))) as http:
        text = await lab.sandbox.wait_for(lambda: text_in(lab, lab.escalation_chat, "Escalated: db1"), timeout=30)
        found = await details(http, alert)
    assert [each["last_error"] for each in found["deliveries"] if each["status"] == "failed"] == [REASON]
    assert KILLER[:500] in text
    assert text_in(lab, lab.chat_ids[1], "short")


async def details(http: ClientSession, message_id: str) -> dict[str, Any]:
    async with http.get(f"/api/messages/{message_id}") as response:
        return dict(await response.json())


def text_in(lab: Lab, chat_id: int, fragment: str) -> str | None:
    return next((each.text for each in lab.sandbox.messages(chat_id) if fragment in each.text), None)


async def test_two_messages_under_way_at_three_deaths_by_another_hand_are_both_shown(lab: Lab) -> None:
    lab.sandbox.fault("away")
    first = await lab.start()
    async with ClientSession("http://notifybot", connector=UnixConnector(str(lab.home.socket))) as http:
        for chat_id, content in zip(lab.chat_ids, (KILLER, BYSTANDER), strict=False):
            await accept(http, chat_id, content, acknowledge=False)
    await lab.kill(first)
    lab.sandbox.clear_faults()

    for _ in range(3):
        life = await lab.keep(prepare(lab.home, Kill(Step.RENDER, nth=2)))
        life.go()
        await asyncio.wait({asyncio.create_task(life.end())}, timeout=5)
        await lab.kill(life)
    await lab.start()

    for chat_id, fragment in zip(lab.chat_ids, ("disk full on db1", "all well on db2"), strict=False):
        await lab.sandbox.wait_for(partial(text_in, lab, chat_id, fragment), timeout=30)
