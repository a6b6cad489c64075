"""Findings and kills, counted per step and shown as a table."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from benchmarks.lab.lab import Death
from benchmarks.lab.steps import Step
from benchmarks.lab.tables import table
from benchmarks.lab.verdict import Finding

MOST_FAILURES = 10


@dataclass
class Counts:
    """Totals of a run."""

    kills: int = 0
    missed: int = 0
    """Kills whose step was not reached."""
    accepted: int = 0
    shown: int = 0
    lost: int = 0
    presses: int = 0
    presses_lost: int = 0
    escalated: int = 0
    doubles: int = 0
    """Copies beyond the first in one chat."""
    uncertain: int = 0
    """Sends that were cut in flight, according to the timelines."""
    unexplained: int = 0
    """Doubles that no uncertain send explains."""
    wrong: int = 0
    """Messages whose state, timeline or posts are wrong."""


HEADINGS = {
    "kills": "kills",
    "missed": "MISSED",
    "accepted": "accepted",
    "shown": "shown",
    "lost": "LOST",
    "presses": "presses",
    "presses_lost": "LOST",
    "escalated": "escalated",
    "doubles": "doubles",
    "uncertain": "uncertain",
    "unexplained": "UNEXPLAINED",
    "wrong": "WRONG",
}

ByStep = dict[Step | None, Counts]
"""Counts per step; None means after the last kill."""


def count(findings: Sequence[Finding], deaths: Sequence[Death]) -> ByStep:
    """Attribute requests and presses to the next kill, and whatever a starting daemon records to the last one."""
    by_step: ByStep = {step: Counts() for step in (*Step, None)}
    times = [death.at for death in deaths]
    steps = [None, *(death.kill.step for death in deaths), None]

    def next_kill(at: float) -> Counts:
        return by_step[steps[bisect_left(times, at) + 1]]

    def last_kill(at: float) -> Counts:
        return by_step[steps[bisect_right(times, at)]]

    for death in deaths:
        by_step[death.kill.step].kills += 1
        by_step[death.kill.step].missed += death.is_missed
    for finding in findings:
        _add_message(next_kill(finding.entry.accepted_at), finding)
        for press in finding.entry.presses:
            next_kill(press.at).presses += 1
        for at in finding.doubles:
            next_kill(at).doubles += 1
        for at in finding.uncertain:
            last_kill(at).uncertain += 1
    return by_step


def _add_message(counts: Counts, finding: Finding) -> None:
    counts.accepted += 1
    counts.shown += finding.is_shown
    counts.lost += finding.is_lost
    counts.presses_lost += finding.presses_lost
    counts.escalated += finding.escalations
    counts.unexplained += finding.unexplained
    counts.wrong += bool(finding.problems)


def total(counts: Sequence[Counts]) -> Counts:
    return Counts(**{each.name: sum(getattr(one, each.name) for one in counts) for each in fields(Counts)})


def add(one: ByStep, other: ByStep) -> ByStep:
    return {step: total([one.get(step, Counts()), counts]) for step, counts in other.items()}


def report(counts: Mapping[Step | None, Counts], subtitle: str) -> str:
    """Format a table: a row per step at which the daemon was killed, and totals. Columns in capitals must be 0."""
    rows = [(step or "(ran on)", _values(each)) for step, each in counts.items() if each != Counts()]
    rows.append(("all", _values(total(list(counts.values())))))
    return table(f"SIGKILL under load: {subtitle}", list(HEADINGS.values()), rows)


def _values(counts: Counts) -> list[int]:
    return [getattr(counts, name) for name in HEADINGS]


def failures(findings: Sequence[Finding]) -> str:
    """Describe the bad findings, a few of them in full; return "" if there are none."""
    bad = [finding for finding in findings if not finding.is_good]
    if not bad:
        return ""
    lines = [f"{len(bad)} messages are wrong:"]
    for finding in bad[:MOST_FAILURES]:
        wish = finding.entry.wish
        lines.append(f"- {wish.mark} ({wish.fate}, {finding.entry.message_id}) for {wish.chat_id}")
        lines += [f"    {reason}" for reason in _reasons(finding)]
    return "\n".join(lines)


def _reasons(finding: Finding) -> list[str]:
    reasons = list(finding.problems)
    if finding.is_lost:
        reasons.append("it was accepted but never posted")
    if finding.presses_lost:
        reasons.append(f"it was pressed {finding.presses_lost} times, but is not acknowledged")
    if finding.unexplained:
        reasons.append(f"{len(finding.doubles)} doubles, but {len(finding.uncertain)} uncertain sends")
    return reasons
