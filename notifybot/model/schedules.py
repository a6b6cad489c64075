"""Tables of schedules, on-call shifts, summaries and job runs."""

from datetime import datetime

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel

from notifybot.model.columns import partial_index
from notifybot.model.conditions import IS_PLANNED


class Schedule(SQLModel, table=True):
    """The times of a repeating message.

    Its next occurrence is always in `messages` as a scheduled message, and releasing that inserts the one after it. So
    the text and the recipients are in `messages` alone.
    """

    __tablename__ = "schedules"

    id: str = Field(primary_key=True)
    account: str = Field(index=True)
    repeat: str
    """Cron expression of five fields, or `every 15m`."""
    time_zone: str
    """IANA name of the time zone of the cron expression."""
    created_at: datetime
    begins_at: datetime
    """Time of the first occurrence; `every 15m` counts from here."""
    paused_at: datetime | None = None
    ended_at: datetime | None = Field(default=None, index=True)
    """Set when it was cancelled, or no time is left: there are no more occurrences."""
    last_at: datetime | None = None
    """Scheduled time of the last released occurrence."""
    runs: int = 0
    """Occurrences released so far."""
    missed: int = 0
    """Occurrences skipped because the daemon was down; at most occurrences.MAX_MISSED for one stop."""
    settled_until: datetime | None = Field(default=None, index=True)
    """All times up to here are released, missed or skipped, even if the clock is set back."""
    skipped_until: datetime | None = None
    """Time of the last occurrence that someone cancelled."""


class OnCallOverride(SQLModel, table=True):
    """Someone else is on call for a while. Where overrides overlap, the newest one counts."""

    __tablename__ = "on_call_overrides"

    id: str = Field(primary_key=True)
    rotation: str
    member: str
    """Recipient, as written in the config."""
    starts_at: datetime
    ends_at: datetime = Field(index=True)
    created_at: datetime
    created_by: str
    """Actor, as in the timeline: `account:alice`, `telegram:42`."""
    cancelled_at: datetime | None = None


class OnCallTurn(SQLModel, table=True):
    """The people last notified that their shift began, for each rotation."""

    __tablename__ = "on_call_turns"

    rotation: str = Field(primary_key=True)
    members: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Empty if nobody was notified yet."""
    since: datetime
    """Time of the notification."""
    look_at: datetime | None = Field(default=None, index=True)
    """Next time at which the person on call may change; null for never."""
    rota: str = ""
    """Digest of the rotation's config at that time."""


class SummaryPlan(SQLModel, table=True):
    """Time of a reader's next summary."""

    __tablename__ = "summary_plans"

    reader: str = Field(primary_key=True)
    """`person:<user_id>`, or `to:<recipient>` for readers from the config."""
    daily: str | None = None
    """Time of day (wall_clock.Daily), such as `09:00 Europe/Berlin`; null if they get no summary."""
    next_at: datetime | None = None
    last_date: str | None = None
    """Last local date with a summary, such as `2026-03-29`; a date has at most one."""
    told_until: datetime | None = None
    """Start of the next summary's period; null for the time of the day before."""

    __table_args__ = (partial_index("summary_plans_due", IS_PLANNED, "next_at"),)


class JobRun(SQLModel, table=True):
    """One run of one job."""

    __tablename__ = "job_runs"

    id: int | None = Field(default=None, primary_key=True)
    job: str
    started_at: datetime
    duration_s: float
    done: int = 0
    """Rows it processed."""
    is_manual: bool = False
    """Run on request."""
    error: str | None = None

    __table_args__ = (Index("job_runs_of", "job", "id"),)


class JobTrouble(SQLModel, table=True):
    """A failing job, or a poison row of a job. Deleted once it is over."""

    __tablename__ = "job_troubles"

    job: str = Field(primary_key=True)
    row_key: str = Field(primary_key=True)
    """Key of the poison row; empty if the run itself failed."""
    error: str
    since: datetime
    last_at: datetime
    """Time of the last failure."""
    until: datetime
    """Next try of the row. If the run failed: it is over once runs succeed until then."""
    times: int = 1
    told_at: datetime | None = None
    """Time when the admins were notified."""


OF_PERSON, OF_CONFIG = "person:", "to:"
