"""Measured figures, one per line: label, result, target."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.load.figures import percentile


@dataclass(frozen=True)
class Figure:
    """One measured figure; `has_met` is None if it has no target."""

    what: str
    found: str
    aim: str | None = None
    has_met: bool | None = None

    def line(self) -> str:
        if self.aim is None:
            return f"{self.what}: {self.found}"
        return f"{self.what}: {self.found} ({'' if self.has_met else 'MISSED, '}target {self.aim})"


def at_most(what: str, found: float, aim: float, unit: str = "", digits: int = 0) -> Figure:
    return Figure(what, f"{found:.{digits}f}{unit}", f"≤ {aim:g}{unit}" if aim else "0", found <= aim)


def at_least(what: str, found: float, aim: float, unit: str = "", digits: int = 1) -> Figure:
    return Figure(what, f"{found:.{digits}f}{unit}", f"≥ {aim:g}{unit}", found >= aim)


def latencies(seconds: Iterable[float]) -> str:
    """Format the median, 99th percentile and maximum of some waits."""
    ordered = sorted(seconds)
    return f"p50 {_span(ordered, 0.5)}, p99 {_span(ordered, 0.99)}, max {_span(ordered, 1.0)}"


def p99(seconds: Iterable[float]) -> float:
    return percentile(sorted(seconds), 0.99)


def _span(ordered: Sequence[float], share: float) -> str:
    seconds = percentile(ordered, share)
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
