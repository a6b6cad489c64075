"""Where messages go: their recipients → chats, and who of them is not to be told, or not yet."""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlmodel import Session

from notifybot import chats, overrides, people, quiet_hours, unknown_names
from notifybot.chats import Reached
from notifybot.errors import Conflict, Forbidden, NotifybotError
from notifybot.people import Reader
from notifybot.quiet_hours import QuietHours
from notifybot.recipients import EVERYBODY, Directory, Recipient, RecipientKind, recipient_of
from notifybot.timeline import NOTIFYBOT
from notifybot.unknown_names import listed

_LINK = "They press /start with the bot and hand its code to `notifybot verify`, or open what `notifybot link` shows."


class Wish(Protocol):
    """What a message says of its recipients. `allowed`: to whom its caller may send, in the config's words; None is
    anybody. `is_awaited`: they chose this time for it, so that no quiet hours hold it up."""

    @property
    def account(self) -> str: ...
    @property
    def recipients(self) -> tuple[Recipient, ...]: ...
    @property
    def is_alert(self) -> bool: ...
    @property
    def allowed(self) -> frozenset[str] | None: ...
    @property
    def is_awaited(self) -> bool: ...


@dataclass(frozen=True)
class Whom:
    """Recipients alone, as far as it matters who may tell them something."""

    account: str
    recipients: tuple[Recipient, ...]
    allowed: frozenset[str] | None
    is_alert: bool = True
    is_awaited: bool = False


class Destination(NamedTuple):
    """A chat that a message goes to. `name`: who brought it, in the caller's words; `withheld`: why it is not told
    there; `not_before`: it waits until then."""

    chat: Reached
    name: str
    withheld: str | None = None
    not_before: datetime | None = None


class Way(NamedTuple):
    """Where a message goes; `absent` are the members of its names who have no chat, `vacant` the names for which nobody
    is on call."""

    destinations: tuple[Destination, ...]
    absent: tuple[str, ...] = ()
    vacant: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether anybody is."""
        return any(each.withheld is None for each in self.destinations)


@dataclass(frozen=True)
class Found:
    """What the database says of the recipients of a batch, at `now`."""

    directory: Directory
    now: datetime
    by_name: Mapping[str, Reader]
    by_chat: Mapping[str, Reader]
    """Whose private chats were named by their ids, where it matters what they chose."""
    everybody: Sequence[Reader]
    chats: Mapping[str, Reached]


def look_up(session: Session, wishes: Collection[Wish], directory: Directory, *, now: datetime) -> Found:
    """Read what `way_of` has to know of all these recipients at once."""
    if directory.turning:
        directory = overrides.as_of(session, directory, _names_in(wishes), now=now)
    asked = _Asked(directory)
    for wish in wishes:
        asked.note(wish)
    by_name = people.readers(session, asked.persons) if asked.persons else {}
    by_chat = people.readers_of_chats(session, asked.private) if asked.private else {}
    everybody = people.all_readers(session) if asked.is_everybody else ()
    theirs = {reader.chat_id for reader in (*by_name.values(), *everybody)}
    return Found(directory, now, by_name, by_chat, everybody, chats.current(session, asked.chats, theirs))


def _names_in(wishes: Collection[Wish]) -> set[str]:
    named = {recipient.name for wish in wishes for recipient in wish.recipients}
    return named.union(*(wish.allowed for wish in wishes if wish.allowed is not None))


@dataclass
class _Asked:
    """What the recipients of a batch name. `private`: private chats, where it matters what their people chose."""

    directory: Directory
    persons: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    is_everybody: bool = False

    def note(self, wish: Wish) -> None:
        reaches_all = wish.is_alert and self.directory.alerts_reach_muted
        for recipient in wish.recipients:
            for member in self.directory.members(recipient):
                self._add(member)
                if not reaches_all and member.kind is RecipientKind.CHAT and member.name.isdecimal():
                    self.private.add(member.name)
        for text in wish.allowed or ():
            for member in self.directory.members(recipient_of(text)):
                self._add(member)

    def _add(self, member: Recipient) -> None:
        match member.kind:
            case RecipientKind.CHAT:
                self.chats.add(member.name)
            case RecipientKind.SUBSCRIBERS:
                self.is_everybody = True
            case _:
                self.persons.add(member.name)


def way_of(session: Session, wish: Wish, found: Found, *, is_later: bool = False) -> Way:
    """The chats that a message goes to, each once, brought by the first of its recipients that stands for it.
    `is_later`: it is not told now, so that its caller must be allowed to tell whoever is on call by then.

    A member of a name who has no chat is left out, so that who unlinks costs the others nothing. Raises Forbidden for
    a recipient that its caller may not send to, NotifybotError for one that nobody knows, Conflict for one that stands
    for no chat. A name that turns is never refused: who is on call is not its sender's doing.
    """
    check_allowed(wish, found, is_later=is_later)
    if len(wish.recipients) == 1 and wish.recipients[0].kind is RecipientKind.CHAT:
        return Way((_to_chat(wish.recipients[0].name, wish.recipients[0], wish, found),))  # as most messages do
    way, unreached = _gathered(wish, found)
    if unreached:
        raise _why_not(session, unreached, wish, found)
    return way


def check_reachable(session: Session, whom: Wish, *, now: datetime, directory: Directory) -> None:
    """Raise what `way_of` raises where these recipients are to be told later."""
    way_of(session, whom, look_up(session, [whom], directory, now=now), is_later=True)


def reach(session: Session, names: Collection[str], directory: Directory, *, now: datetime) -> Way:
    """Where an alert goes that tells these recipients now, as `way_left` says."""
    wish = Whom(NOTIFYBOT, tuple(map(recipient_of, names)), allowed=None)
    return way_left(wish, look_up(session, [wish], directory, now=now))


def way_left(wish: Wish, found: Found) -> Way:
    """The chats that a message goes to where nobody waits for an answer, so that nothing is refused: who is not known,
    or has no chat, is among the absent."""
    way, unreached = _gathered(wish, found)
    return way._replace(absent=(*way.absent, *(recipient.name for recipient in unreached)))


def untold(way: Way) -> list[str]:
    """Who is not told and why, a sentence each."""
    reasons = [each.withheld.removesuffix(".") for each in way.destinations if each.withheld is not None]
    absent = [f"Not told, for want of a chat with the bot: {listed(way.absent)}."] if way.absent else []
    vacant = [f"Nobody is on call: {listed(way.vacant)}."] if way.vacant else []
    return vacant + absent + ([f"Withheld: {listed(reasons, '; ')}."] if reasons else [])


def _gathered(wish: Wish, found: Found) -> tuple[Way, list[Recipient]]:
    """The chats that the recipients stand for, each once, and those of them who stand for none."""
    reached: dict[str, Destination] = {}
    absent: list[str] = []
    vacant: list[str] = []
    unreached: list[Recipient] = []
    for recipient in wish.recipients:
        destinations, missing = _resolved(recipient, wish, found)
        for each in destinations:
            reached.setdefault(each.chat.id, each)
        if not destinations and not found.directory.turns(recipient):
            unreached.append(recipient)
            continue
        absent += missing
        if not destinations and not missing:
            vacant.append(recipient.name)
    return Way(tuple(reached.values()), tuple(dict.fromkeys(absent)), tuple(vacant)), unreached


def _resolved(recipient: Recipient, wish: Wish, found: Found) -> tuple[list[Destination], list[str]]:
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


def _to_chat(chat_id: str, recipient: Recipient, wish: Wish, found: Found) -> Destination:
    return _destination(found.chats[chat_id], found.by_chat.get(chat_id), recipient, wish, found)


def _to(reader: Reader, recipient: Recipient, wish: Wish, found: Found) -> Destination:
    return _destination(found.chats[reader.chat_id], reader, recipient, wish, found)


def _destination(chat: Reached, reader: Reader | None, recipient: Recipient, wish: Wish, found: Found) -> Destination:
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


def _end_of_quiet(reader: Reader, found: Found) -> datetime | None:
    if reader.quiet_from is None or reader.quiet_until is None:
        return None
    zone = reader.time_zone or found.directory.time_zone
    return _end_of(QuietHours.read(reader.quiet_from, reader.quiet_until, zone), found.now)


@functools.lru_cache(1024)
def _end_of(hours: QuietHours, now: datetime) -> datetime | None:
    """Most of those who are told at once have the same quiet hours."""
    return quiet_hours.ends_at(hours, now)


def check_allowed(wish: Wish, found: Found, *, is_later: bool = False) -> None:
    """Raise Forbidden for a recipient that is not named by `allowed`, and leads to chats which that does not stand for.

    Also for one that nobody knows: who may send to few learns nothing of the others. `is_later`: also for one that
    leads to a rotation which `allowed` does not name, whoever is on call now.
    """
    allowed = wish.allowed
    if allowed is None:
        return
    directory, named = found.directory, [recipient_of(text) for text in allowed]
    members = {member for each in named for member in directory.members(each)}
    chat_ids = {chat_id for member in members if (chat_id := _chat_of(member, found)) is not None}
    if is_later:
        members |= {member for each in named for member in directory.lasting(each)}
    for recipient in wish.recipients:
        for member in directory.lasting(recipient) if is_later else directory.members(recipient):
            is_person = member.kind is RecipientKind.PERSON and member.name in found.by_name
            is_named = member in members or (is_person and EVERYBODY in members)
            if not is_named and _chat_of(member, found) not in chat_ids:
                raise _not_allowed(wish, recipient, member)


def _not_allowed(wish: Wish, recipient: Recipient, member: Recipient) -> Forbidden:
    hint = "socket.allow says to whom callers of the socket may send, and each token for itself."
    if member.kind is RecipientKind.NAME:
        hint = f"Who is on call at another time may be anybody: {member.name} must be allowed by its own name."
    return Forbidden(f"{wish.account} may not send to {recipient.name}.", hint=hint)


def check_may_tell(session: Session, whom: Wish, *, now: datetime, directory: Directory) -> None:
    """`check_allowed` for who changes what others were told, or will be."""
    if whom.allowed is not None:
        check_allowed(whom, look_up(session, [whom], directory, now=now), is_later=True)


def _chat_of(member: Recipient, found: Found) -> str | None:
    """The chat of a single recipient, None for one without."""
    match member.kind:
        case RecipientKind.CHAT:
            return found.chats[member.name].id
        case RecipientKind.PERSON if member.name in found.by_name:
            return found.chats[found.by_name[member.name].chat_id].id
        case _:
            return None


def _why_not(session: Session, unreached: Sequence[Recipient], wish: Wish, found: Found) -> NotifybotError:
    """Why these recipients lead to nobody: what nobody knows is said first."""
    unknown = [recipient for recipient in unreached if _is_unknown(recipient, wish, found.directory)]
    if unknown:
        return unknown_names.refusal(session, unknown, found.directory)
    recipient = unreached[0]
    if recipient == EVERYBODY:
        return Conflict("Nobody is subscribed yet.", hint="Whoever presses /start with the bot is.")
    names = [member.name for member in found.directory.members(recipient)]
    if recipient.kind is RecipientKind.NAME and recipient.name in found.directory.names:
        return Conflict(f"Nobody of {recipient.name} has a chat with the bot yet: {listed(names)}.", hint=_LINK)
    return Conflict(f"{names[0]} has no chat with the bot yet.", hint=_LINK)


def _is_unknown(recipient: Recipient, wish: Wish, directory: Directory) -> bool:
    if recipient == EVERYBODY or (recipient.kind is RecipientKind.NAME and recipient.name in directory.names):
        return False
    return all(name not in directory.known and name != wish.account for name in _names_of(recipient, directory))


def _names_of(recipient: Recipient, directory: Directory) -> tuple[str, ...]:
    return recipient.name, directory.accounts.get(recipient.name, recipient.name)


def members_without_chat(session: Session, directory: Directory) -> list[str]:
    """Who stands in a name of the config and cannot be told anything."""
    members = {member.name for each in directory.names.values() for member in each} & directory.known
    return sorted(members - people.readers(session, members).keys())


def without_chat(session: Session, recipients: Iterable[str], directory: Directory) -> list[str]:
    """Who of these, or of what they stand for, cannot be told anything."""
    members = {member for text in recipients for member in directory.members(recipient_of(text))}
    people_asked = {member.name for member in members if member.kind is RecipientKind.PERSON}
    return sorted(people_asked - people.readers(session, people_asked).keys())
