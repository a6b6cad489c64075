"""A chaos day in short: troubles in random order under load lose no message and no press, and /health names them."""

from pathlib import Path

import pytest

from benchmarks.lab.counts import failures
from benchmarks.lab.day import live_through_day, report, without_clock
from benchmarks.lab.troubles import FULL_DISK, OUTAGE, REFUSED, TROUBLES

pytestmark = pytest.mark.crash
EACH_S = 1.5
NAMED = (OUTAGE, REFUSED, FULL_DISK)


async def test_a_day_of_troubles_loses_nothing(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    troubles = without_clock(TROUBLES)

    day = await live_through_day(tmp_path, troubles, number=len(troubles), each_s=EACH_S, seed=seed)

    with capsys.disabled():
        print(f"\n\n{report(day)}\n")
    lost = (day.counts.lost, day.counts.presses_lost, day.counts.unexplained)
    assert lost == (0, 0, 0), f"seed {seed}\n{failures(day.findings)}"
    assert day.counts.accepted == day.counts.shown > 0
    assert day.counts.presses > 0
    for trouble in NAMED:
        assert None not in day.said(trouble), f"seed {seed}: /health does not name the trouble {trouble.name}"
