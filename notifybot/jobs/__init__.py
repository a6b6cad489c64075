"""The timed jobs: one file a job, one line here. The database says when each is due, the JobQueue only beats."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from notifybot import escalation as deadlines
from notifybot import on_call_turns, releases
from notifybot.jobs import close, escalation, on_call, reminders, retention, schedules
from notifybot.jobs import telegram_daily_summary as daily_summary
from notifybot.kinds import Deadline
from notifybot.reminders import REMINDERS
from notifybot.runtime import Runtime

Tick = Callable[[Runtime, datetime], Awaitable[int]]


@dataclass(frozen=True)
class Job:
    """`tick` does what is due and returns how much it did; `next_due` says when there is more.

    It beats at least every `most_apart`, and earlier where a new `deadline` of its kind comes before that.
    `by_hand` is what somebody gets who asks for it now, where that is something else than a tick.
    """

    name: str
    tick: Tick
    next_due: Callable[[Session], datetime | None]
    most_apart: timedelta = timedelta(seconds=30)
    deadline: Deadline | None = None
    by_hand: Tick | None = None


JOBS = (
    Job("schedules", schedules.tick, releases.DUE.next_at, deadline=Deadline.RELEASE),
    Job("escalation", escalation.tick, deadlines.next_escalation, deadline=Deadline.ESCALATE),
    Job("close", close.tick, deadlines.next_close, deadline=Deadline.CLOSE),
    Job("reminders", reminders.tick, REMINDERS.next_at, deadline=Deadline.REMIND),
    Job(
        daily_summary.NAME,
        daily_summary.tick,
        daily_summary.next_due,
        deadline=Deadline.SUMMARY,
        by_hand=daily_summary.by_hand,
    ),
    Job("on_call", on_call.tick, on_call_turns.DUE.next_at, deadline=Deadline.TURN),
    Job("retention", retention.tick, retention.next_due, most_apart=timedelta(hours=1)),
)
