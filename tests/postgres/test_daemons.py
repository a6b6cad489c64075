"""Real daemons on one PostgreSQL database: started twice, killed, cut off."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks.lab.counts import count, failures, report, total
from benchmarks.lab.lab import Lab, laboratory
from benchmarks.lab.process import ROOT, start
from benchmarks.lab.steps import Step, named_kill, random_kill
from notifybot.storage import migrations
from notifybot.storage.engines import current_revision
from tests.postgres.leader import end_sessions
from tests.support.databases import PostgresStore

pytestmark = pytest.mark.crash
STEPS = (Step.ACCEPT, Step.COMMIT, Step.CLAIM, Step.AFTER_TELEGRAM, Step.RECORD, Step.PRESS_HANDLED)
RANDOM_KILLS = 4
WITHIN_S = 60.0


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CRASH_SEED", random.SystemRandom().randrange(10**6)))


@pytest_asyncio.fixture
async def lab(tmp_path: Path, seed: int, store: PostgresStore) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path, seed, database_url=store.url) as made:
        yield made


@pytest_asyncio.fixture
async def other_lab(tmp_path_factory: pytest.TempPathFactory, seed: int, store: PostgresStore) -> AsyncIterator[Lab]:
    """Another machine: its own bot, folder and socket, but the same database."""
    async with laboratory(tmp_path_factory.mktemp("other"), seed, database_url=store.url) as made:
        yield made


def last_words(lab: Lab) -> list[str]:
    """Return the output for people, without the log."""
    return [line for line in lab.home.log_tail().splitlines() if not line.startswith("{")]


async def test_a_second_daemon_names_the_leader_and_exits_with_2(lab: Lab, other_lab: Lab) -> None:
    first = await lab.start()
    second = await other_lab.keep(start(other_lab.home))
    assert await second.end() == 2
    said = last_words(other_lab)
    assert len(said) == 2
    assert said[0].startswith("error:")
    assert f"process {first.pid} " in said[0]
    assert said[1].startswith("hint:")
    assert not first.is_over


async def test_after_a_kill_the_next_daemon_leads(lab: Lab, other_lab: Lab) -> None:
    await lab.kill(await lab.start())
    assert not (await other_lab.start()).is_over


async def test_a_daemon_deposed_while_cut_off_exits_with_2(lab: Lab, other_lab: Lab, store: PostgresStore) -> None:
    first = await lab.start()
    os.kill(first.pid, signal.SIGSTOP)
    end_sessions(store)
    second = await other_lab.start()
    os.kill(first.pid, signal.SIGCONT)
    assert await first.end() == 2
    said = last_words(lab)
    assert [line.partition(":")[0] for line in said] == ["error", "hint"]
    assert "Another daemon leads" in said[0]
    assert not second.is_over


async def test_nothing_is_lost_wherever_the_daemon_is_killed(
    lab: Lab, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    kills = [*(named_kill(step, rng) for step in STEPS), *(random_kill(rng) for _ in range(RANDOM_KILLS))]
    rng.shuffle(kills)

    lab.callers.start()
    await lab.live_through(kills)
    await lab.start()
    await lab.callers.stop()
    findings = await lab.settle()

    counts = count(findings, lab.deaths)
    with capsys.disabled():
        print(f"\n\n{report(counts, f'PostgreSQL: {len(kills)} kills, seed {seed}')}\n")
    everything = total(list(counts.values()))
    assert not failures(findings), f"seed {seed}\n{failures(findings)}\n{lab.home.log_tail()}"
    assert everything.accepted == everything.shown > 0


async def test_two_migrations_at_once_do_not_conflict(tmp_path: Path, empty: PostgresStore) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path}\ndatabase: {{url: '{empty.url}'}}\n")
    command = [sys.executable, "-m", "notifybot", "db", "upgrade", "--config", str(config)]
    both = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    async with asyncio.timeout(WITHIN_S):
        said = [(await process.communicate())[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("empty database" in each for each in said) == 1, said
    assert current_revision(empty.url) == migrations.HEAD
