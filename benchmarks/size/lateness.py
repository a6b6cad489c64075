"""Lateness of messages that fall due within one second, among a full database of others.

    python -m benchmarks.size.lateness CONFIG COUNT escalations|releases

Prints, as JSON, for each the milliseconds from its `escalate_at` or `send_at` to the end of the commit that escalated
or released it. The daemon runs inside this process, so that the end of a commit can be seen.
"""

import asyncio
import gc
import json
import logging
import os
import sys
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlmodel import Session, col, func, select

from benchmarks.lab.process import ROOT
from notifybot.app import daemon
from notifybot.config import load
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.messages import Message
from notifybot.model.states import State
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.runtime import Runtime
from notifybot.storage.writer import Changes
from notifybot.times.clock import Clock

WITHIN = timedelta(seconds=1)
DUE_AFTER = timedelta(seconds=5)
JOBS_START_WITHIN_S = 60.0
DONE_WITHIN_S = 60.0
PROCESS_WITHIN_S = 180.0
LOOK_EVERY_S = 0.1
CHATS = 100
STATES = {"escalations": State.ESCALATED, "releases": State.INITIATED}
"""State after the deadline, by kind."""


class Watch:
    """Records when each message first changed after it fell due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.due: dict[str, datetime] = {}
        self.done: dict[str, datetime] = {}
        self.is_over = asyncio.Event()

    def on_commit(self, changes: Changes) -> None:
        now = self._clock.now()
        for message_id in changes.messages & self.due.keys():
            if now >= self.due[message_id]:
                self.done.setdefault(message_id, now)
        if self.due and self.done.keys() == self.due.keys():
            self.is_over.set()

    def lateness_ms(self) -> list[float]:
        return [(self.done[message_id] - at) / timedelta(milliseconds=1) for message_id, at in self.due.items()]


async def lateness(config: Path, count: int, kind: str) -> list[float]:
    """Return the lateness of `count` messages in milliseconds; `kind` is one of STATES."""
    clock = Clock()
    async with daemon(load(config, os.environ), clock, []) as running:
        gc.collect()
        gc.freeze()
        runtime = running.runtime
        await _jobs_have_started(runtime)
        watch = Watch(clock)
        runtime.database.after_commit(watch.on_commit)
        for accepted in await _hand_over(runtime, count, kind):
            due_at = accepted.send_at or accepted.escalate_at
            assert due_at is not None
            watch.due[accepted.id] = due_at
        async with asyncio.timeout(DONE_WITHIN_S):
            await watch.is_over.wait()
        done = await runtime.database.read(partial(_are, message_ids=watch.due.keys(), state=STATES[kind]))
        if done != count:
            raise RuntimeError(f"{done} of {count} messages are {STATES[kind]}")
        return watch.lateness_ms()


async def _hand_over(runtime: Runtime, count: int, kind: str) -> list[Acceptance]:
    """Accept the messages, with deadlines spread evenly over WITHIN."""
    start = runtime.clock.now()

    async def hand_over(number: int) -> Acceptance:
        at = start + number * WITHIN / count
        await runtime.clock.sleep_until(at)
        chat_id = str(700_000_000 + number % CHATS)
        return await runtime.batcher.accept(_alert(chat_id, at + DUE_AFTER if kind == "releases" else None))

    return await asyncio.gather(*(hand_over(number) for number in range(count)))


def _alert(chat_id: str, send_at: datetime | None) -> NewMessage:
    return NewMessage(
        account="root",
        source="root",
        recipients=(Recipient(RecipientKind.CHAT, chat_id),),
        content="disk full on db1: 97 % of /var",
        title=None,
        is_alert=True,
        escalate_after=DUE_AFTER if send_at is None else timedelta(minutes=15),
        close_after=timedelta(hours=1),
        send_at=send_at,
    )


def _are(session: Session, message_ids: Collection[str], state: State) -> int:
    is_one = (col(Message.id).in_(message_ids), col(Message.state) == state)
    return session.exec(select(func.count()).select_from(Message).where(*is_one)).one()


async def measured(config: Path, count: int, kind: str) -> list[float]:
    """Do the same in a separate process; return the results in ascending order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.size.lateness", str(config), str(count), kind),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROCESS_WITHIN_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return sorted(json.loads(output))


async def _jobs_have_started(runtime: Runtime) -> None:
    async with asyncio.timeout(JOBS_START_WITHIN_S):
        while runtime.job_status.last_run_at is None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(asyncio.run(lateness(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))))
