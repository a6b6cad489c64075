"""Resolve recipients to chats, with quiet hours and muting."""

import functools
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from notifybot.model.actors import NOTIFYBOT
from notifybot.people.people import Reader
from notifybot.posts.chats import Reached
from notifybot.recipients import quiet_hours
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.allowed import check_allowed
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup, RecipientQuery, RecipientRequest, look_up
from notifybot.recipients.quiet_hours import QuietHours
from notifybot.recipients.reachability import why_unreachable
from notifybot.times.display import listed


class Destination(NamedTuple):
    """A chat that a message goes to. `name`: who brought it, in the caller's words; `withheld`: why it is not told
    there; `not_before`: it waits until then."""

    chat: Reached
    name: str
    withheld: str | None = None
    not_before: datetime | None = None


class Resolved(NamedTuple):
    """Where a message goes; `absent` are the members of its names who have no chat, `vacant` the names for which nobody
    is on call."""

    destinations: tuple[Destination, ...]
    absent: tuple[str, ...] = ()
    vacant: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether anybody is."""
        return any(each.withheld is None for each in self.destinations)

    def is_too_late(self, escalate_at: datetime) -> bool:
        """Return True if no chat can show an alert before it escalates."""
        told = (each.chat.held_until for each in self.destinations if each.withheld is None)
        return all(held_until is not None and held_until >= escalate_at for held_until in told)


def resolve_request(session: Session, wish: RecipientRequest, found: Lookup, *, is_later: bool = False) -> Resolved:
    """The chats that a message goes to, each once, brought by the first of its recipients that stands for it.
    `is_later`: it is not told now, so that its caller must be allowed to tell whoever is on call by then.

    A member of a name who has no chat is left out, so that who unlinks costs the others nothing. Raises Forbidden for
    a recipient that its caller may not send to, NotifybotError for one that nobody knows, Conflict for one that stands
    for no chat. A name that turns is never refused: who is on call is not its sender's doing.
    """
    check_allowed(wish, found, is_later=is_later)
    if len(wish.recipients) == 1 and wish.recipients[0].kind is RecipientKind.CHAT:
        return Resolved((_to_chat(wish.recipients[0].name, wish.recipients[0], wish, found),))  # as most messages do
    way, unreached = _resolve_all(wish, found)
    if unreached:
        raise why_unreachable(session, unreached, wish, found)
    return way


def check_reachable(session: Session, whom: RecipientRequest, *, now: datetime, directory: Directory) -> None:
    """Raise what `way_of` raises where these recipients are to be told later."""
    resolve_request(session, whom, look_up(session, [whom], directory, now=now), is_later=True)


def resolve_names(session: Session, names: Collection[str], directory: Directory, *, now: datetime) -> Resolved:
    """Where an alert goes that tells these recipients now, as `way_left` says."""
    wish = RecipientQuery(NOTIFYBOT, tuple(map(recipient_of, names)), allowed=None)
    return resolve_leniently(wish, look_up(session, [wish], directory, now=now))


def resolve_leniently(wish: RecipientRequest, found: Lookup) -> Resolved:
    """The chats that a message goes to where nobody waits for an answer, so that nothing is refused: who is not known,
    or has no chat, is among the absent."""
    way, unreached = _resolve_all(wish, found)
    return way._replace(absent=(*way.absent, *(recipient.name for recipient in unreached)))


def not_told(way: Resolved) -> list[str]:
    """Who is not told and why, a sentence each."""
    reasons = [each.withheld.removesuffix(".") for each in way.destinations if each.withheld is not None]
    absent = [f"Not told, for want of a chat with the bot: {listed(way.absent)}."] if way.absent else []
    vacant = [f"Nobody is on call: {listed(way.vacant)}."] if way.vacant else []
    return vacant + absent + ([f"Withheld: {listed(reasons, '; ')}."] if reasons else [])


def _resolve_all(wish: RecipientRequest, found: Lookup) -> tuple[Resolved, list[Recipient]]:
    """The chats that the recipients stand for, each once, and those of them who stand for none."""
    reached: dict[str, Destination] = {}
    absent: list[str] = []
    vacant: list[str] = []
    unreached: list[Recipient] = []
    for recipient in wish.recipients:
        destinations, missing = _resolve_one(recipient, wish, found)
        for each in destinations:
            reached.setdefault(each.chat.id, each)
        if not destinations and not found.directory.turns(recipient):
            unreached.append(recipient)
            continue
        absent += missing
        if not destinations and not missing:
            vacant.append(recipient.name)
    return Resolved(tuple(reached.values()), tuple(dict.fromkeys(absent)), tuple(vacant)), unreached


def _resolve_one(recipient: Recipient, wish: RecipientRequest, found: Lookup) -> tuple[list[Destination], list[str]]:
    """Where this recipient leads, and who of its members has no chat."""
    destinations: list[Destination] = []
    absent: list[str] = []
    for member in found.directory.members(recipient):
        match member.kind:
            case RecipientKind.CHAT:
                destinations.append(_to_chat(member.name, recipient, wish, found))
            case RecipientKind.SUBSCRIBERS:
                everybody = (reader for reader in found.everybody if wish.is_alert or reader.is_enabled)
                destinations += (_to(reader, recipient, wish, found) for reader in everybody)
            case _ if (reader := found.by_name.get(member.name)) is not None:
                destinations.append(_to(reader, recipient, wish, found))
            case _:
                absent.append(member.name)
    return destinations, absent


def _to_chat(chat_id: str, recipient: Recipient, wish: RecipientRequest, found: Lookup) -> Destination:
    return _destination(found.chats[chat_id], found.by_chat.get(chat_id), recipient, wish, found)


def _to(reader: Reader, recipient: Recipient, wish: RecipientRequest, found: Lookup) -> Destination:
    return _destination(found.chats[reader.chat_id], reader, recipient, wish, found)


def _destination(
    chat: Reached, reader: Reader | None, recipient: Recipient, wish: RecipientRequest, found: Lookup
) -> Destination:
    """What a reader chose holds for notices; for alerts only where the config says so, and quiet hours never."""
    if reader is None or (wish.is_alert and found.directory.alerts_reach_muted):
        return Destination(chat, recipient.name)
    withheld = _why_withheld(reader, found.now)
    may_wait = not wish.is_alert and not wish.is_awaited
    is_quiet = withheld is None and may_wait and reader.quiet_from is not None
    return Destination(chat, recipient.name, withheld, _end_of_quiet(reader, found) if is_quiet else None)


def _why_withheld(reader: Reader, now: datetime) -> str | None:
    if not reader.is_enabled:
        return f"{reader.label} has switched notifications off."
    if reader.muted_until is not None and reader.muted_until > now:
        return f"{reader.label} has muted notifications until {reader.muted_until:%Y-%m-%d %H:%M} UTC."
    return None


def _end_of_quiet(reader: Reader, found: Lookup) -> datetime | None:
    if reader.quiet_from is None or reader.quiet_until is None:
        return None
    zone = reader.time_zone or found.directory.time_zone
    return _end_of(QuietHours.read(reader.quiet_from, reader.quiet_until, zone), found.now)


@functools.lru_cache(1024)
def _end_of(hours: QuietHours, now: datetime) -> datetime | None:
    """Most of those who are told at once have the same quiet hours."""
    return quiet_hours.ends_at(hours, now)
