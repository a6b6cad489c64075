"""Stops and restarts: by SIGTERM and SIGKILL, under load, in a ban, with Telegram away, and with a second daemon."""

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest

from benchmarks.lab.counts import failures
from benchmarks.lab.lab import Lab
from benchmarks.lab.process import start
from benchmarks.lab.verdict import Finding
from notifybot.system.signals import IGNORED

pytestmark = pytest.mark.crash
MESSAGES = 15
BAN_S = 6
HELD_WITHIN_S = 10.0


async def test_sigterm_under_load_loses_and_doubles_nothing(lab: Lab, seed: int) -> None:
    lab.callers.start()
    life = await lab.start()
    await more_accepted(lab)
    assert await lab.stop(life) == 0

    life = await lab.start()
    await more_accepted(lab)
    for _ in range(5):
        life.terminate()
        await asyncio.sleep(0)
    assert await lab.stop(life) == 0

    findings = await what_became_of_everything(lab)
    assert not failures(findings), f"seed {seed}\n{failures(findings)}"
    assert sum(len(finding.doubles) + len(finding.uncertain) for finding in findings) == 0


async def test_a_second_daemon_on_the_same_database_exits_with_2_and_the_reason(lab: Lab) -> None:
    first = await lab.start()
    second = await lab.keep(start(lab.home))
    assert await second.end() == 2
    said = [line for line in lab.home.log_tail().splitlines() if not line.startswith("{")]
    assert len(said) == 2
    assert said[0].startswith("error:")
    assert str(first.pid) in said[0]
    assert said[1].startswith("hint:")
    assert not first.is_over


async def test_signals_that_ask_others_to_reload_end_nothing(lab: Lab) -> None:
    life = await lab.start()
    for number in IGNORED:
        os.kill(life.pid, number)
    entry = await lab.callers.send_one_to(lab.chat_ids[0])
    await lab.sandbox.wait_for(lambda: entry.copies, timeout=30)
    assert not life.is_over
    assert all(number.name in lab.home.log_tail() for number in IGNORED)
    assert await lab.stop(life) == 0


async def test_no_call_goes_into_a_ban_across_kill_and_restart(lab: Lab) -> None:
    lab.sandbox.fault("flood", method="sendMessage", chat=lab.chat_ids[0], retry_after=BAN_S)
    life = await lab.start()
    entry = await lab.callers.send_one_to(lab.chat_ids[0])
    await ban_is_recorded(lab)
    await lab.kill(life)
    assert await lab.stop(await lab.start()) == 0
    await lab.start()
    await lab.sandbox.wait_for(lambda: entry.copies, timeout=3 * BAN_S)
    assert lab.sandbox.world.limits.calls_into_ban == 0
    assert len(entry.copies) == 1


async def test_a_kill_while_telegram_is_away_loses_nothing(lab: Lab, seed: int) -> None:
    lab.callers.start()
    life = await lab.start()
    await more_accepted(lab)
    lab.sandbox.fault("away")
    await lab.sandbox.wait_for(lambda: any(call.status == 0 for call in lab.sandbox.calls.of("sendMessage")))
    await lab.kill(life)
    await lab.start()
    await more_accepted(lab)
    lab.sandbox.clear_faults()

    findings = await what_became_of_everything(lab)
    assert not failures(findings), f"seed {seed}\n{failures(findings)}\n{lab.home.log_tail()}"


async def more_accepted(lab: Lab) -> None:
    """Wait until MESSAGES more are accepted."""
    enough = lab.ledger.accepted + MESSAGES
    await lab.sandbox.wait_for(lambda: lab.ledger.accepted >= enough, timeout=30)


async def what_became_of_everything(lab: Lab) -> list[Finding]:
    """Stop the load, let a daemon finish the rest, and judge everything."""
    if not lab.is_running:
        await lab.start()
    await lab.callers.stop()
    findings = await lab.settle()
    assert findings
    return findings


async def ban_is_recorded(lab: Lab) -> None:
    """Wait until the hold is in the database: only that survives a kill."""
    async with asyncio.timeout(HELD_WITHIN_S):
        with closing(sqlite3.connect(f"file:{lab.home.database}?mode=ro", uri=True)) as database:
            while True:
                if database.execute("SELECT 1 FROM chats WHERE held_until IS NOT NULL").fetchone():
                    return
                await asyncio.sleep(0.02)
