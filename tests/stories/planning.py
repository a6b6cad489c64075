"""Scheduled messages, and moving the clock from one release to the next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.actors import by_account
from notifybot.recipients.address import recipient_of
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile
from notifybot.schedules import queries
from notifybot.schedules.queries import ScheduleDetails
from tests.stories.places import Place
from tests.stories.world import Sent, World

ANNA = by_account("anna")
SPANS = {"escalate_after": timedelta(minutes=15), "close_after": timedelta(hours=1)}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Planned(Sent):
    """A scheduled message, as accepted."""

    answer: Acceptance

    @property
    def schedule_id(self) -> str:
        assert self.answer.schedule_id is not None
        return self.answer.schedule_id

    async def schedule(self) -> ScheduleDetails:
        return await self.world.runtime.database.read(partial(queries.find, schedule_id=self.schedule_id))

    async def is_changed(self, verb: Callable[..., ScheduleDetails], **how: Any) -> ScheduleDetails:
        """Pause, resume, change or cancel its schedule."""
        now = self.world.runtime.clock.now()
        change = partial(verb, schedule_id=self.schedule_id, actor=ANNA, now=now, **how)
        return await self.world.runtime.database.write(change)

    async def next(self) -> Sent:
        """Return the waiting message, which is the next occurrence."""
        waiting = (await self.schedule()).waiting
        assert waiting is not None
        return Sent(self.world, waiting.id, {})


async def plan(
    world: World,
    content: str,
    *,
    to: Place | str,
    send_at: str | None = None,
    repeat: str | None = None,
    zone: str = "UTC",
    is_alert: bool = False,
    files: tuple[NewFile, ...] = (),
    look: Appearance = DEFAULT_APPEARANCE,
    client_id: str | None = None,
) -> Planned:
    """Send a scheduled message; its times are in UTC."""
    name = to if isinstance(to, str) else str(to.id)
    moment = None if send_at is None else utc(send_at)
    insists = SPANS if is_alert else {"escalate_after": None, "close_after": None}
    whom = (recipient_of(name),)
    new = NewMessage("root", "test", whom, content, None, is_alert, client_id=client_id, look=look, **insists)
    timed = new._replace(send_at=moment, repeat=repeat, time_zone=zone, files=files)
    accepted = await world.runtime.batcher.accept(timed)
    return Planned(world, accepted.id, {}, accepted)


async def lives(world: World, until: str) -> None:
    """Move the clock from one release to the next, each exactly on time."""
    end = utc(until)
    while (due := _next_release(world)) is not None and due <= end:
        await arrives(world, due)
    await arrives(world, end)


async def arrives(world: World, moment: datetime | str) -> None:
    """Move the clock to this time at once, and run the due jobs."""
    at = utc(moment) if isinstance(moment, str) else moment
    await world.later(seconds=(at - world.clock.at).total_seconds())
    await world.is_quiet()


def _next_release(world: World) -> datetime | None:
    sql = "SELECT min(release_at) FROM messages WHERE state = 'scheduled' AND release_at IS NOT NULL"
    ((found,),) = world.rows(sql)
    if found is None or isinstance(found, datetime):
        return found
    return datetime.fromisoformat(found).replace(tzinfo=UTC)


def seen(world: World, place: Place, zone: str = "UTC") -> list[str]:
    """Return the times of posts, by the wall clock of a zone."""
    moments = (datetime.fromtimestamp(message.sent_at, ZoneInfo(zone)) for message in world.sandbox.messages(place.id))
    return [f"{moment:%m-%d %H:%M}" for moment in moments]
