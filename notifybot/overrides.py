"""Overrides of rotations as rows, and whom names stand for by them."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlmodel import Session

from notifybot.models import table_of
from notifybot.prepared import fetch
from notifybot.recipients import Directory
from notifybot.rotas import Override
from notifybot.timetable import OnCallOverride

RECENTLY = timedelta(days=31)
"""So long overrides are kept that have ended."""
OVERRIDES = table_of(OnCallOverride)
_STANDING = (
    select(
        OVERRIDES.c.rotation,
        OVERRIDES.c.id,
        OVERRIDES.c.member,
        OVERRIDES.c.starts_at,
        OVERRIDES.c.ends_at,
        OVERRIDES.c.created_at,
    )
    .where(OVERRIDES.c.ends_at > bindparam("moment", type_=OVERRIDES.c.ends_at.type))
    .where(OVERRIDES.c.cancelled_at.is_(None))
    .order_by(OVERRIDES.c.starts_at, OVERRIDES.c.id)
)


def standing(session: Session, *, now: datetime) -> dict[str, list[Override]]:
    """The overrides that run or are still to come, by rotation, in the order of their beginnings."""
    found: dict[str, list[Override]] = {}
    for rotation, *facts in fetch(session, _STANDING, moment=now):
        found.setdefault(rotation, []).append(Override(*facts))
    return found


def recent(session: Session, rotation: str, *, now: datetime) -> list[Override]:
    """Those of a rotation that stand, and those that have ended within RECENTLY."""
    return [Override(*facts) for name, *facts in fetch(session, _STANDING, moment=now - RECENTLY) if name == rotation]


def as_of(session: Session, directory: Directory, names: Collection[str], *, now: datetime) -> Directory:
    """The directory with whoever is on call at `now`, where one of these names turns; for others it costs nothing."""
    if directory.turning.isdisjoint(names):
        return directory
    return directory.at(now, standing(session, now=now))
