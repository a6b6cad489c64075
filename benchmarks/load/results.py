"""Results of throughput.py: all measurements, and the target ratios."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.lab.tables import table
from benchmarks.load.caller import Measured
from benchmarks.load.figures import Spread
from benchmarks.load.plain_stores import Kind

NOTIFYBOT = "notifybot"
FULL_OF_MESSAGES = "notifybot, full database"
DIGITS = {"rate": 0, "p50": 2, "p99": 2, "p999": 2, "cpu_us": 0, "busy": 2}
COLUMNS = ("accepted/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs", "callers' CPU")


@dataclass(frozen=True)
class Case:
    """A load. `share`: of the rate that notifybot reached at FULL_LOAD; None: as fast as responses arrive."""

    name: str
    callers: int
    new_connections: bool = False
    share: float | None = None
    chats: int | None = None
    """To how many chats; None for all."""


FULL_LOAD = Case("64 callers", 64)
ONE_CHAT = Case("64 callers, one chat", 64, chats=1)
HALF_LOAD = Case("64 callers at half that rate", 64, share=0.5)
CASES = (
    FULL_LOAD,
    ONE_CHAT,
    HALF_LOAD,
    Case("16 callers", 16),
    Case("1 caller", 1),
    Case("16 callers, new connections", 16, new_connections=True),
)


@dataclass
class Results:
    """Measurements by case and server, one per round."""

    title: str
    found: dict[tuple[Case, str], list[Measured]] = field(default_factory=lambda: defaultdict(list))
    loads: list[float] = field(default_factory=list)
    """Load averages of the machine."""

    def rates(self, case: Case, server: str) -> list[float]:
        return [round.rate for round in self.found[case, server]]

    def report(self) -> str:
        """Return the table of figures, followed by the table of targets."""
        rows = [(f"{case.name}: {server}", _shown(rounds)) for (case, server), rounds in self.found.items()]
        load = f"at loads of {min(self.loads):.1f} to {max(self.loads):.1f}" if self.loads else ""
        figures = table(f"{self.title}: alerts accepted, median (min-max) of the rounds, {load}", COLUMNS, rows)
        aims = [(aim.what, [spread.shown(2), aim.wanted, verdict]) for aim, spread, verdict in self._judged()]
        return f"{figures}\n\n{table(f'{self.title}: targets', ('result', 'target', ''), aims)}"

    def _judged(self) -> list[tuple["Aim", Spread, str]]:
        judged = []
        for aim in AIMS:
            values = aim.values(self)
            if values:
                spread = Spread.of(values)
                judged.append((aim, spread, "met" if aim.is_met(spread.median) else "MISSED"))
        return judged


def _shown(rounds: Sequence[Measured]) -> list[str]:
    return [Spread.of([getattr(one, name) for one in rounds]).shown(digits) for name, digits in DIGITS.items()]


@dataclass(frozen=True)
class Aim:
    """A figure per round, and the bound for its median: an upper one if `is_upper`."""

    what: str
    values: Callable[[Results], list[float]]
    bound: float
    is_upper: bool = False

    @property
    def wanted(self) -> str:
        return f"{'≤' if self.is_upper else '≥'} {self.bound:g}"

    def is_met(self, found: float) -> bool:
        return found <= self.bound if self.is_upper else found >= self.bound


def _cpu_against(server: str, case: Case) -> Callable[[Results], list[float]]:
    def ratios(results: Results) -> list[float]:
        ours, theirs = results.found[case, NOTIFYBOT], results.found[case, server]
        return [other.cpu_us / one.cpu_us for one, other in zip(ours, theirs, strict=bool(ours and theirs))]

    return ratios


def _rate_against(server: str, case: Case = FULL_LOAD, *, of: str = NOTIFYBOT) -> Callable[[Results], list[float]]:
    def ratios(results: Results) -> list[float]:
        ours, theirs = results.rates(case, of), results.rates(case, server)
        return [one / other for one, other in zip(ours, theirs, strict=bool(ours and theirs))]

    return ratios


def _half_load_p99(results: Results) -> list[float]:
    ours, theirs = results.found[HALF_LOAD, NOTIFYBOT], results.found[HALF_LOAD, Kind.NOTHING]
    return [one.p99 / other.p99 for one, other in zip(ours, theirs, strict=True)]


def _p999(server: str) -> Callable[[Results], list[float]]:
    return lambda results: [round.p999 for round in results.found[FULL_LOAD, server]]


AIMS = (
    Aim(
        "rate at 64 callers, one chat, compared to a handler that does nothing",
        _rate_against(Kind.NOTHING, ONE_CHAT),
        0.6,
    ),
    Aim("the same by CPU", _cpu_against(Kind.NOTHING, ONE_CHAT), 0.6),
    Aim("rate at 64 callers, 1,000 chats, compared to a handler that does nothing", _rate_against(Kind.NOTHING), 0.4),
    Aim("the same by CPU", _cpu_against(Kind.NOTHING, FULL_LOAD), 0.4),
    Aim("rate at 64 callers, compared to plain SQL with one commit per request", _rate_against(Kind.SQL), 3),
    Aim("rate at 64 callers, compared to one ORM session per request", _rate_against(Kind.ORM), 10),
    Aim("p99 at half that rate, compared to a handler that does nothing", _half_load_p99, 2, is_upper=True),
    Aim("p99.9 at 64 callers, ms", _p999(NOTIFYBOT), 50, is_upper=True),
    Aim("rate with a full database, compared to an empty one", _rate_against(NOTIFYBOT, of=FULL_OF_MESSAGES), 0.9),
    Aim("p99.9 with a full database, ms", _p999(FULL_OF_MESSAGES), 50, is_upper=True),
)
