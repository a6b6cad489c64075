"""The timed jobs: one file per job, listed here in order. The database says when each is due."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from notifybot.alerts import escalate, expire, remind
from notifybot.health import chat_warnings
from notifybot.jobs import chat_troubles, close, daily_summary, escalation, oncall, reminders, retention, schedules
from notifybot.model.enums import Deadline
from notifybot.oncall import notify
from notifybot.runtime import Runtime
from notifybot.schedules import release

JobFunction = Callable[[Runtime, datetime], Awaitable[int]]


@dataclass(frozen=True)
class Job:
    """`run` processes due rows and returns their number; `next_due` returns when the next row is due.

    A job runs at least every `max_interval`, and sooner when a `deadline` of its kind comes up. The jobs in `after`
    run first if they are due too. `run_now` replaces `run` in a manual run.
    """

    name: str
    run: JobFunction
    next_due: Callable[[Session], datetime | None]
    max_interval: timedelta = timedelta(seconds=30)
    deadline: Deadline | None = None
    after: tuple["Job", ...] = ()
    run_now: JobFunction | None = None


SCHEDULES = Job("schedules", schedules.run, release.RELEASES.next_at, deadline=Deadline.RELEASE)
ESCALATION = Job("escalation", escalation.run, escalate.next_escalation, deadline=Deadline.ESCALATE)
CLOSE = Job("close", close.run, expire.next_expiry, deadline=Deadline.CLOSE, after=(ESCALATION,))
REMINDERS = Job(
    "reminders", reminders.run, remind.REMINDERS.next_at, deadline=Deadline.REMIND, after=(ESCALATION, CLOSE)
)
SUMMARY = Job(
    daily_summary.NAME,
    daily_summary.run,
    daily_summary.next_due,
    deadline=Deadline.SUMMARY,
    after=(SCHEDULES,),
    run_now=daily_summary.run_now,
)
ON_CALL = Job("on_call", oncall.run, notify.SHIFT_CHANGES.next_at, deadline=Deadline.SHIFT)
CHAT_TROUBLES = Job(chat_troubles.NAME, chat_troubles.run, chat_warnings.UNTOLD.next_at, deadline=Deadline.TROUBLE)
RETENTION = Job("retention", retention.run, retention.next_due, max_interval=timedelta(hours=1))
JOBS = (SCHEDULES, ESCALATION, CLOSE, REMINDERS, SUMMARY, ON_CALL, CHAT_TROUBLES, RETENTION)
