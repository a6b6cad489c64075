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
from notifybot.recipients.reachability import is_unknown, why_unreachable
from notifybot.times.display import listed


class Destination(NamedTuple):
    """A chat that a message goes to.

    `name`: the recipient that led to it, as the caller wrote it; `withheld`: reason why the message is not sent there;
    `not_before`: end of quiet hours; `thread_id`: the topic, if the recipient names one.
    """

    chat: Reached
    name: str
    withheld: str | None = None
    not_before: datetime | None = None
    thread_id: int | None = None


class Resolved(NamedTuple):
    """Chats that a message goes to.

    `absent`: members without a chat; `vacant`: names for which nobody is on call; `unknown`: names that name nobody.
    """

    destinations: tuple[Destination, ...]
    absent: tuple[str, ...] = ()
    vacant: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return True if every recipient led to a chat."""
        return not (self.absent or self.vacant or self.unknown)

    @property
    def notifies_anyone(self) -> bool:
        return any(each.withheld is None for each in self.destinations)

    def is_too_late(self, escalate_at: datetime) -> bool:
        """Return True if no chat can show an alert before it escalates."""
        holds = (each.chat.held_until for each in self.destinations if each.withheld is None)
        return all(held_until is not None and held_until >= escalate_at for held_until in holds)


def resolve_request(session: Session, request: RecipientRequest, found: Lookup, *, is_later: bool = False) -> Resolved:
    """Return the chats that a message goes to, each once, under the first recipient that leads to it.

    Members without a chat are left out, so that one who unlinks does not block the others. `is_later`: it is not
    sent now, so its caller must be allowed to notify whoever is on call by then. Raises Forbidden for a recipient that
    the caller cannot send to, NotifybotError for an unknown one, Conflict for one without any chat. Rotating names are
    never refused, as the caller has no say in who is on call.
    """
    check_allowed(request, found, is_later=is_later)
    if len(request.recipients) == 1 and request.recipients[0].kind is RecipientKind.CHAT:
        (chat,) = request.recipients  # as most messages do
        return Resolved((_to_chat(chat, chat, request, found),))
    resolved, unreached = _resolve_all(request, found)
    if unreached:
        raise why_unreachable(session, unreached, request, found)
    return resolved


def check_reachable(session: Session, whom: RecipientRequest, *, now: datetime, directory: Directory) -> None:
    """Raise what `resolve_request` would raise for these recipients later."""
    resolve_request(session, whom, look_up(session, [whom], directory, now=now), is_later=True)


def resolve_names(session: Session, names: Collection[str], directory: Directory, *, now: datetime) -> Resolved:
    """Resolve recipients of an alert now, as `resolve_leniently` does."""
    query = RecipientQuery(NOTIFYBOT, tuple(map(recipient_of, names)), allowed=None)
    return resolve_leniently(query, look_up(session, [query], directory, now=now))


def resolve_leniently(request: RecipientRequest, found: Lookup) -> Resolved:
    """Resolve recipients when no caller waits for a response: unknown ones are noted, not refused."""
    resolved, unreached = _resolve_all(request, found)
    if not unreached:
        return resolved
    unknown = tuple(each.name for each in unreached if is_unknown(each, request.account, found.directory))
    absent = tuple(each.name for each in unreached if each.name not in unknown)
    return resolved._replace(absent=(*resolved.absent, *absent), unknown=unknown)


def not_notified(resolved: Resolved) -> list[str]:
    """Return sentences that say who is not notified, and why."""
    reasons = [each.withheld.removesuffix(".") for each in resolved.destinations if each.withheld is not None]
    absent = [f"Not notified, as they have no chat with the bot: {listed(resolved.absent)}."] if resolved.absent else []
    what = "this recipient no longer exists" if len(resolved.unknown) == 1 else "these recipients no longer exist"
    unknown = [f"Not notified, as {what}: {listed(resolved.unknown)}."] if resolved.unknown else []
    vacant = [f"Nobody is on call: {listed(resolved.vacant)}."] if resolved.vacant else []
    return vacant + unknown + absent + ([f"Withheld: {listed(reasons, '; ')}."] if reasons else [])


def _resolve_all(request: RecipientRequest, found: Lookup) -> tuple[Resolved, list[Recipient]]:
    """Return the chats and topics behind all recipients, each once, and the recipients that lead to none."""
    reached: dict[tuple[str, int | None], Destination] = {}
    absent: list[str] = []
    vacant: list[str] = []
    unreached: list[Recipient] = []
    for recipient in request.recipients:
        destinations, missing = _resolve_one(recipient, request, found)
        for each in destinations:
            reached.setdefault((each.chat.id, each.thread_id), each)
        if not destinations and not found.directory.is_rotating(recipient):
            unreached.append(recipient)
            continue
        absent += missing
        if not destinations and not missing:
            vacant.append(recipient.name)
    return Resolved(tuple(reached.values()), tuple(dict.fromkeys(absent)), tuple(vacant)), unreached


def _resolve_one(recipient: Recipient, request: RecipientRequest, found: Lookup) -> tuple[list[Destination], list[str]]:
    """Return the chats behind one recipient, and its members without one."""
    destinations: list[Destination] = []
    absent: list[str] = []
    for member in found.directory.members(recipient):
        match member.kind:
            case RecipientKind.CHAT:
                destinations.append(_to_chat(member, recipient, request, found))
            case RecipientKind.SUBSCRIBERS:
                everybody = (reader for reader in found.everybody if request.is_alert or reader.is_enabled)
                destinations += (_to(reader, recipient, request, found) for reader in everybody)
            case _ if (reader := found.by_name.get(member.name)) is not None:
                destinations.append(_to(reader, recipient, request, found))
            case _:
                absent.append(member.name)
    return destinations, absent


def _to_chat(member: Recipient, recipient: Recipient, request: RecipientRequest, found: Lookup) -> Destination:
    reader = found.by_chat.get(member.chat_id)
    to_chat = _destination(found.chats[member.chat_id], reader, recipient, request, found)
    return to_chat if member.thread_id is None else to_chat._replace(thread_id=member.thread_id)


def _to(reader: Reader, recipient: Recipient, request: RecipientRequest, found: Lookup) -> Destination:
    return _destination(found.chats[reader.chat_id], reader, recipient, request, found)


def _destination(
    chat: Reached, reader: Reader | None, recipient: Recipient, request: RecipientRequest, found: Lookup
) -> Destination:
    """Apply a reader's preferences: mutes to notices, and to alerts if the config says so; quiet hours to notices."""
    if reader is None or (request.is_alert and found.directory.alerts_reach_muted):
        return Destination(chat, recipient.name)
    withheld = _why_withheld(reader, found.now)
    may_wait = not request.is_alert and not request.is_awaited
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
    """Cached, as most readers of a broadcast have the same quiet hours."""
    return quiet_hours.ends_at(hours, now)
