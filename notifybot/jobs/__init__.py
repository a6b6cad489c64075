"""The timed jobs: one file a job, one line here. The database says when each is due, the JobQueue only beats."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from notifybot.alerts import escalate as deadlines
from notifybot.alerts import expire
from notifybot.alerts.remind import REMINDERS
from notifybot.jobs import close, daily_summary, escalation, oncall, reminders, retention, schedules
from notifybot.model.enums import Deadline
from notifybot.oncall import notify
from notifybot.runtime import Runtime
from notifybot.schedules import release

JobFunction = Callable[[Runtime, datetime], Awaitable[int]]


@dataclass(frozen=True)
class Job:
    """`tick` does what is due and returns how much it did; `next_due` says when there is more.

    It beats at least every `most_apart`, and earlier where a new `deadline` of its kind comes before that.
    `by_hand` is what somebody gets who asks for it now, where that is something else than a tick.
    """

    name: str
    tick: JobFunction
    next_due: Callable[[Session], datetime | None]
    most_apart: timedelta = timedelta(seconds=30)
    deadline: Deadline | None = None
    by_hand: JobFunction | None = None


JOBS = (
    Job("schedules", schedules.run, release.RELEASES.next_at, deadline=Deadline.RELEASE),
    Job("escalation", escalation.run, deadlines.next_escalation, deadline=Deadline.ESCALATE),
    Job("close", close.run, expire.next_expiry, deadline=Deadline.CLOSE),
    Job("reminders", reminders.run, REMINDERS.next_at, deadline=Deadline.REMIND),
    Job(
        daily_summary.NAME,
        daily_summary.run,
        daily_summary.next_due,
        deadline=Deadline.SUMMARY,
        by_hand=daily_summary.run_now,
    ),
    Job("on_call", oncall.run, notify.SHIFT_CHANGES.next_at, deadline=Deadline.SHIFT),
    Job("retention", retention.run, retention.next_due, most_apart=timedelta(hours=1)),
)
