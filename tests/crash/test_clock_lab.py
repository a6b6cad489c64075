"""`make clock-lab` in small: the clock is set under load, during a ban, a back-off, an outage, a kill and a start."""

from pathlib import Path

import pytest

from benchmarks.clock_lab import MOMENTS, experiment, report, wrong
from benchmarks.lab.set_clock import PACKAGE, libfaketime

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(libfaketime() is None, reason=f"libfaketime is missing: apt-get install {PACKAGE}"),
]
ALERTS = 30


async def test_nothing_is_stuck_early_or_lost_when_the_clock_is_set(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, verdicts = await experiment(tmp_path, steps=len(MOMENTS), alerts=ALERTS, seed=seed)

    with capsys.disabled():
        print(f"\n\n{report(lab, verdicts, f'seed {seed}')}\n")
    assert not wrong(verdicts), f"seed {seed}\n{wrong(verdicts)}"
    assert len(verdicts) == ALERTS
    assert lab.counts.early_calls == 0
