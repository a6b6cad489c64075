"""SIGKILL at every step of a message and at random times, under load: no accepted message and no press is lost."""

import random

import pytest

from benchmarks.lab.counts import count, failures, report, total
from benchmarks.lab.lab import Lab
from benchmarks.lab.steps import NAMED, named_kill, random_kill

pytestmark = pytest.mark.crash
PARTS = 4
"""Seeds, each with its share of the steps, so that several processes can share the work."""
RANDOM_KILLS = 4


@pytest.mark.parametrize("part", range(PARTS))
async def test_nothing_is_lost_wherever_the_daemon_is_killed(
    lab: Lab, seed: int, part: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    kills = [named_kill(step, rng) for step in NAMED[part::PARTS]]
    kills += [random_kill(rng) for _ in range(RANDOM_KILLS)]
    rng.shuffle(kills)

    lab.callers.start()
    await lab.live_through(kills)
    await lab.start()
    await lab.callers.stop()
    findings = await lab.settle()

    counts = count(findings, lab.deaths)
    with capsys.disabled():
        print(f"\n\n{report(counts, f'{len(kills)} kills, seed {seed}')}\n")
    everything = total(list(counts.values()))
    assert not failures(findings), f"seed {seed}\n{failures(findings)}\n{lab.home.log_tail()}"
    assert everything.missed == 0
    assert everything.accepted == everything.shown > 0
    assert everything.presses > 0
    assert any(finding.entry.wish.files for finding in findings)
    assert lab.files_left_behind() == []
