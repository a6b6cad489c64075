"""Tables of schedules, on-call shifts, summaries and job runs."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    Column,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from notifybot.model.conditions import IS_PLANNED

_IS_PLANNED = text(IS_PLANNED)


class Schedule(SQLModel, table=True):
    """Why a message repeats. The next occurrence is always there as a message that is `scheduled`; its release makes
    the one after it, so that what it says and for whom stands in the messages alone."""

    __tablename__ = "schedules"

    id: str = Field(primary_key=True)
    account: str = Field(index=True)
    repeat: str
    """A cron expression of five fields, or `every 15m`."""
    time_zone: str
    """In which a cron expression is meant, by its IANA name."""
    created_at: datetime
    begins_at: datetime
    """The first occurrence; `every 15m` counts from here."""
    paused_at: datetime | None = None
    ended_at: datetime | None = Field(default=None, index=True)
    """Cancelled: nothing comes any more."""
    last_at: datetime | None = None
    """For when the last occurrence was meant that was released."""
    runs: int = 0
    """How many were released."""
    missed: int = 0
    """How many were not, because nobody was there at their time; at most schedule_times.MOST_COUNTED of one stop."""
    settled_until: datetime | None = Field(default=None, index=True)
    """Of all times up to here it is settled what became of them, whatever the clock says since."""
    skipped_until: datetime | None = None
    """The last occurrence that somebody left out."""


class OnCallOverride(SQLModel, table=True):
    """Somebody else is on call for a while; the latest one made counts."""

    __tablename__ = "on_call_overrides"

    id: str = Field(primary_key=True)
    rotation: str
    member: str
    """A recipient, as the config would name them."""
    starts_at: datetime
    ends_at: datetime = Field(index=True)
    created_at: datetime
    created_by: str
    """As in the timeline: `account:alice`, `telegram:42`."""
    cancelled_at: datetime | None = None


class OnCallTurn(SQLModel, table=True):
    """Who was told last that their turn has begun."""

    __tablename__ = "on_call_turns"

    rotation: str = Field(primary_key=True)
    members: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Nobody yet, where it is empty."""
    since: datetime
    """When they were told."""
    look_at: datetime | None = Field(default=None, index=True)
    """When somebody else may be on call; null: never."""
    rota: str = ""
    """A digest of what the config says of the rotation, as of then."""


class SummaryPlan(SQLModel, table=True):
    """When somebody gets their next summary."""

    __tablename__ = "summary_plans"

    reader: str = Field(primary_key=True)
    """`person:<user_id>`, or `to:<recipient>` for those of the config."""
    daily: str | None = None
    """For when it is planned (wall_clock.Daily), `09:00 Europe/Berlin`; null: they get none."""
    next_at: datetime | None = None
    last_date: str | None = None
    """The last local date that had its summary, `2026-03-29`: each has one at most."""
    told_until: datetime | None = None
    """The next one tells what happened since then; null: nothing that is older than a day."""

    __table_args__ = (Index("summary_plans_due", "next_at", sqlite_where=_IS_PLANNED, postgresql_where=_IS_PLANNED),)


class JobRun(SQLModel, table=True):
    """One tick of one job."""

    __tablename__ = "job_runs"

    id: int | None = Field(default=None, primary_key=True)
    job: str
    started_at: datetime
    duration_s: float
    done: int = 0
    """How much it did."""
    is_manual: bool = False
    """Somebody asked for it."""
    error: str | None = None

    __table_args__ = (Index("job_runs_of", "job", "id"),)


class JobTrouble(SQLModel, table=True):
    """What is amiss with a job: its ticks fail, or a row cannot be worked on. Gone once it is over."""

    __tablename__ = "job_troubles"

    job: str = Field(primary_key=True)
    row_key: str = Field(primary_key=True)
    """The row that was put off; empty where the tick itself failed."""
    error: str
    since: datetime
    last_at: datetime
    """When it was met last."""
    until: datetime
    """When the row is tried again; or how long ticks must go well before it is over."""
    times: int = 1
    told_at: datetime | None = None
    """When the admins were told."""


OF_PERSON, OF_CONFIG = "person:", "to:"
