"""Assess the state of the daemon: ok, degraded or down."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import update
from sqlmodel import Session, col

from notifybot.messages.queries import Backlog
from notifybot.model.chats import Bot
from notifybot.storage.statements import affected

TELEGRAM_UP = "ok"


class HealthStatus(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    """Nothing can be accepted, or work has stopped."""


@dataclass(frozen=True)
class HealthFacts:
    """The state of each part at `now`."""

    now: datetime
    is_moving: bool
    """The jobs run."""
    telegram: str
    telegram_reason: str | None
    backlog: Backlog | None
    """None if the database did not respond."""
    job_errors: dict[str, str] = field(default_factory=dict)
    put_off: dict[str, str] = field(default_factory=dict)
    """A warning for each job that has put rows off."""
    hanging: dict[str, timedelta] = field(default_factory=dict)
    """Jobs that have been running for too long, and for how long."""
    notes: tuple[str, ...] = ()
    """Warnings about the configuration."""
    troubles: tuple[str, ...] = ()
    """Warnings that an operator should look at now: the log, files that are gone, banned chats."""
    log_lines_dropped: int = 0


@dataclass(frozen=True)
class HealthReport:
    status: HealthStatus
    telegram: str
    database: str
    jobs: str
    waiting: int
    oldest_waiting_s: float
    warnings: tuple[str, ...]
    log_lines_dropped: int = 0


def check_writable(session: Session) -> None:
    """Write without changing anything: this fails while nothing can be stored, which a read does not notice."""
    for step in (1, -1):  # SQLite skips a write of the same value
        affected(session, update(Bot).where(col(Bot.id) == 1).values(term=Bot.term + step))


def assess(facts: HealthFacts) -> HealthReport:
    """Assess the facts: `down` if messages cannot be accepted or no job runs, `degraded` if an operator should look."""
    is_down = facts.backlog is None or not facts.is_moving
    backlog = facts.backlog or Backlog(0, None, 0)
    oldest = 0.0 if backlog.oldest_at is None else max(0.0, (facts.now - backlog.oldest_at).total_seconds())
    is_failing = bool(facts.job_errors or facts.put_off or facts.hanging)
    is_degraded = facts.telegram != TELEGRAM_UP or is_failing or bool(facts.troubles)
    return HealthReport(
        status=HealthStatus.DOWN if is_down else HealthStatus.DEGRADED if is_degraded else HealthStatus.OK,
        telegram=facts.telegram,
        database="ok" if facts.backlog else "failed",
        jobs="stalled" if not facts.is_moving else "failing" if is_failing else "ok",
        waiting=backlog.waiting,
        oldest_waiting_s=round(oldest, 1),
        warnings=_warnings(facts),
        log_lines_dropped=facts.log_lines_dropped,
    )


def _warnings(facts: HealthFacts) -> tuple[str, ...]:
    found = list(facts.notes)
    if facts.telegram_reason:
        found.append(facts.telegram_reason)
    if facts.backlog is None:
        found.append("The database is unusable; see the log.")
    if not facts.is_moving:
        found.append("No job has run for two minutes.")
    found += facts.troubles
    found += [f"Job {name} is failing: {reason}" for name, reason in sorted(facts.job_errors.items())]
    found += [f"Job {name} {words}" for name, words in sorted(facts.put_off.items())]
    for name, span in sorted(facts.hanging.items()):
        found.append(f"Job {name} has been running for {int(span.total_seconds() // 60)} minutes.")
    return tuple(found)
