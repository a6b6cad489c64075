"""Time zones in use that this system does not know: warn of them, and tell those concerned once.

An upgrade of the system drops old names (US/Pacific), and `times.zones.zone_of` then counts in UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from notifybot.config.model import Config
from notifybot.messages.announce import HEALTH, Announcement, announce_to_admins, announce_to_each
from notifybot.model.chats import Bot
from notifybot.model.people import Person
from notifybot.model.schedules import Schedule
from notifybot.recipients.directory import Directory
from notifybot.times.display import listed
from notifybot.times.zones import is_known_zone


@dataclass(frozen=True)
class UnknownZone:
    """A zone that is unknown here, and what uses it."""

    name: str
    used_by: tuple[str, ...]

    @property
    def warning(self) -> str:
        return (
            f"This system does not know the time zone {self.name}, so UTC counts for {listed(self.used_by)}. "
            "Choose another zone, or install the system's package tzdata-legacy and restart notifybot."
        )


def unknown_zones(session: Session, config: Config) -> list[UnknownZone]:
    """Return the zones that the config, people or active schedules use and this system does not know, by name."""
    uses: dict[str, list[str]] = {}
    for name, use in (*_in_config(config), *_in_database(session)):
        if not is_known_zone(name):
            uses.setdefault(name, []).append(use)
    return [UnknownZone(name, tuple(used_by)) for name, used_by in sorted(uses.items())]


def _in_config(config: Config) -> Iterator[tuple[str, str]]:
    yield config.summary.time_zone, "summary.time_zone"
    for name, rotation in config.rotations.items():
        yield rotation.time_zone, f"the rotation {name}"


def _in_database(session: Session) -> Iterator[tuple[str, str]]:
    people = select(col(Person.time_zone), func.count()).where(col(Person.time_zone).is_not(None))
    for name, count in session.exec(people.group_by(col(Person.time_zone))):
        assert name is not None
        yield name, f"{count} {'person' if count == 1 else 'people'}"
    schedules = select(col(Schedule.time_zone), func.count()).where(col(Schedule.ended_at).is_(None))
    for name, count in session.exec(schedules.group_by(col(Schedule.time_zone))):
        yield name, f"{count} {'schedule' if count == 1 else 'schedules'}"


def report(session: Session, config: Config, directory: Directory, *, now: datetime) -> None:
    """Notify the admins and the people who chose these zones, once per zone."""
    bot = session.get_one(Bot, 1)
    reported = bot.reported_zones or []
    zones = [zone for zone in unknown_zones(session, config) if zone.name not in reported]
    if not zones:
        return
    bot.reported_zones = [*reported, *(zone.name for zone in zones)]
    session.add(bot)
    lines = "\n".join(zone.warning for zone in zones)
    to_admins = Announcement((), HEALTH, lines, "Unknown time zone")
    announce_to_admins(session, to_admins, directory, now=now)
    for zone in zones:
        _tell_people(session, zone.name, directory, now=now)


def _tell_people(session: Session, zone: str, directory: Directory, *, now: datetime) -> None:
    people: Sequence[str] = session.exec(select(Person.user_id).where(Person.time_zone == zone)).all()
    text = (
        f"This server no longer knows your time zone, {zone}. Your quiet hours and your daily summary follow UTC "
        "until you choose another with /settings."
    )
    announce_to_each(session, people, Announcement((), HEALTH, text, "Your time zone"), directory, now=now)
