"""The timed jobs: one file a job, one line here. The database says when each is due, the JobQueue only beats."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from notifybot import escalation as deadlines
from notifybot.jobs import close, escalation, retention
from notifybot.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """`tick` does what is due and returns how much it did; `next_due` says when there is more."""

    name: str
    tick: Callable[[Runtime, datetime], Awaitable[int]]
    next_due: Callable[[Session], datetime | None]


JOBS = (
    Job("escalation", escalation.tick, deadlines.next_escalation),
    Job("close", close.tick, deadlines.next_close),
    Job("retention", retention.tick, retention.next_due),
)
