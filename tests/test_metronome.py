"""The jobs are beaten in real time: between a beat's time and its tick the JobQueue goes its own way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_SUBMITTED  # type: ignore[import-untyped]

from notifybot.app import Daemon, daemon
from notifybot.clock import Clock
from notifybot.config import load
from notifybot.database import Changes
from notifybot.jobs import JOBS

WITHIN_S = 20.0


class Ticks:
    """Counts the ticks of all jobs together."""

    def __init__(self) -> None:
        self._seen = 0
        self._one_more = asyncio.Event()

    def note(self, _: object) -> None:
        self._seen += 1
        self._one_more.set()

    async def come_to(self, wanted: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self._seen < wanted:
                await self._one_more.wait()
                self._one_more.clear()


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon without a token: its jobs beat, and nothing else happens."""
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path}\nsocket: {{path: {tmp_path}/s}}\n")
    async with daemon(load(config, {}), Clock(), []) as started:
        yield started


async def test_a_deadline_may_come_up_between_a_beat_and_its_tick(running: Daemon) -> None:
    assert running.application.job_queue is not None
    scheduler, ticks = running.application.job_queue.scheduler, Ticks()
    scheduler.add_listener(ticks.note, EVENT_JOB_EXECUTED)
    await ticks.come_to(len(JOBS))
    refused: list[Exception] = []

    def commit_an_earlier_deadline(_: object) -> None:
        scheduler.remove_listener(commit_an_earlier_deadline)
        try:
            running.metronome.on_commit(Changes(deadline=Clock().now() - timedelta(minutes=1)))
        except Exception as error:  # noqa: BLE001 - a scheduler swallows what its listeners raise
            refused.append(error)

    scheduler.add_listener(commit_an_earlier_deadline, EVENT_JOB_SUBMITTED)
    running.metronome.on_commit(Changes(deadline=Clock().now()))
    await ticks.come_to(2 * len(JOBS))
    assert refused == []
