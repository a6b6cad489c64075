"""Table of the work during which the process died."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class Death(SQLModel, table=True):
    """Deaths of the process during one piece of work. Deleted once that finishes."""

    __tablename__ = "deaths"

    kind: str = Field(primary_key=True)
    """As in storage.under_way.WorkKind."""
    key: str = Field(primary_key=True)
    count: int = 0
    """Deaths while nothing else was under way. 0: it may have been one of several, and is done alone next."""
    process: str
    """Process whose death was counted last, so that each counts once."""
    version: str
    """notifybot's version: another one may have the cause fixed, and counts from 0."""
    last_at: datetime
