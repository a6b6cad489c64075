"""Preferences of people: notifications, time zone, summary time, quiet hours, mute."""

from datetime import datetime, timedelta
from typing import TypedDict

from sqlmodel import Session, select

from notifybot.errors import NotifybotError
from notifybot.model.actors import Actor
from notifybot.model.people import Person
from notifybot.people.people import replan_summary
from notifybot.times.spans import LONGEST, parse_time_of_day
from notifybot.times.zones import find_zone

MAX_MUTE = LONGEST


class PreferenceChanges(TypedDict, total=False):
    """Preferences to change, as people write them; None resets one to its default."""

    enabled: bool
    time_zone: str | None
    """An IANA name, or a city in one."""
    summary_time: str | None
    """`09:00`, in their zone."""
    quiet_hours: str | None
    """`22:00-07:00`, in their zone."""
    muted_until: datetime | None


def of_chat(session: Session, chat_id: str) -> Person | None:
    """Return the owner of this private chat; None if nobody pressed /start."""
    return session.exec(select(Person).where(Person.chat_id == chat_id)).first()


def is_linked(session: Session, actor: Actor) -> bool:
    """Return True if this Telegram user is linked to an account."""
    person = _person(session, actor)
    return person is not None and person.account is not None


def time_zone_of(session: Session, actor: Actor) -> str | None:
    """Return the zone that this Telegram user chose."""
    person = _person(session, actor)
    return None if person is None else person.time_zone


def _person(session: Session, actor: Actor) -> Person | None:
    """In Telegram a private chat has the id of its user."""
    return of_chat(session, str(actor.facts["telegram_id"])) if "telegram_id" in actor.facts else None


def change(session: Session, person: Person, changes: PreferenceChanges, *, now: datetime) -> None:
    """Change preferences, all or none. Raises NotifybotError for an invalid value."""
    values = _read(changes)
    if (until := changes.get("muted_until")) is not None:
        _check_mute(until, now)
    for column, value in values.items():
        setattr(person, column, value)
    session.add(person)
    session.flush()
    replan_summary(session, now=now)


def _read(changes: PreferenceChanges) -> dict[str, object]:
    """Return values by column."""
    columns: dict[str, object] = {}
    if "enabled" in changes:
        columns["is_enabled"] = changes["enabled"]
    if "muted_until" in changes:
        columns["muted_until"] = changes["muted_until"]
    try:
        if "time_zone" in changes:
            columns["time_zone"] = read_zone(changes["time_zone"])
        if "summary_time" in changes:
            columns["summary_time"] = read_time(changes["summary_time"])
        if "quiet_hours" in changes:
            columns["quiet_from"], columns["quiet_until"] = read_quiet_hours(changes["quiet_hours"])
    except ValueError as error:
        what = str(error)
        raise NotifybotError(f"{what[:1].upper()}{what[1:]}{'' if what.endswith('?') else '.'}") from error
    return columns


def _check_mute(until: datetime, now: datetime) -> None:
    if not now < until <= now + MAX_MUTE:
        raise NotifybotError("A mute must end in the future, within 366 days.")


def read_zone(text: str | None) -> str | None:
    """Return the name of the zone; raises ValueError with one clause that suggests the nearest."""
    if text is None:
        return None
    try:
        return find_zone(text)
    except ValueError as error:
        what, hint = error.args
        raise ValueError(f"{what}; {hint[:1].lower()}{hint[1:].rstrip('.')}") from None


def read_time(text: str | None) -> str | None:
    """Return `9:00` as `09:00`; raises ValueError with one clause."""
    return None if text is None else f"{parse_time_of_day(text):%H:%M}"


def read_quiet_hours(text: str | None) -> tuple[str | None, str | None]:
    """Split `22:00-07:00` into start and end, each `HH:MM`; raises ValueError with one clause."""
    if text is None:
        return None, None
    start, dash, end = text.replace("–", "-").partition("-")
    try:
        hours = read_time(start), read_time(end)
    except ValueError:
        hours = None, None
    if not dash or hours[0] is None or hours[0] == hours[1]:
        raise ValueError("quiet hours are written like 22:00-07:00")
    return hours


def quiet_hours_of(person: Person) -> str | None:
    """Return quiet hours as `change` takes them: `22:00-07:00`; None if there are none."""
    if person.quiet_from is None or person.quiet_until is None:
        return None
    return f"{person.quiet_from}-{person.quiet_until}"


def mute_end(span: timedelta, *, now: datetime) -> datetime:
    """Return when a mute of this length ends, on a whole second."""
    return now.replace(microsecond=0) + span
