"""On call: who is, until when, and who stands in for them."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from notifybot import chats, overrides, people, routing
from notifybot.database import affected, changes
from notifybot.durations import LONGEST
from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.identities import Person
from notifybot.ids import new_id
from notifybot.kinds import Deadline
from notifybot.models import Chat
from notifybot.recipients import EVERYBODY, Directory, Recipient, RecipientKind, person, recipient_of
from notifybot.rotas import Override, Rota, Stint, begun_at, next_handover, stints
from notifybot.routing import Whom
from notifybot.timetable import OnCallOverride, OnCallTurn

Names = Mapping[str, str]
"""How people see recipients."""

MOST_SHOWN = 6
"""Stints: the one that it is now, and those after it."""
MOST_OVERRIDES = 100
"""Of one rotation, that have not ended."""


@dataclass(frozen=True)
class Standing:
    """How a rotation stands. `stints`: who is on call now, since when, and who is after that; `names`: how people see
    its members."""

    rotation: str
    rota: Rota
    stints: tuple[Stint, ...]
    overrides: tuple[OnCallOverride, ...]
    handover: datetime | None
    names: Names

    @property
    def now(self) -> Stint:
        return self.stints[0]

    def named(self, members: Collection[str]) -> str:
        """Members as people read them."""
        return ", ".join(self.names[member] for member in members) or "nobody"


def everything(session: Session, directory: Directory, *, now: datetime) -> list[Standing]:
    """How all rotations stand, in the order of the config."""
    standing = overrides.standing(session, now=now)
    return [_standing(session, directory, name, standing.get(name, []), now=now) for name in directory.rotas]


def find(session: Session, directory: Directory, rotation: str, *, now: datetime) -> Standing:
    """How one stands. Raises NotFound."""
    check_known(directory, rotation)
    standing = overrides.standing(session, now=now).get(rotation, [])
    return _standing(session, directory, rotation, standing, now=now)


def check_known(directory: Directory, rotation: str) -> None:
    """Raise NotFound for what is no rotation of the config."""
    if rotation in directory.rotas:
        return
    near = difflib.get_close_matches(rotation, directory.rotas, n=1)
    hint = f"Did you mean {near[0]}?" if near else "The config has them under rotations."
    raise NotFound(f"There is no rotation {rotation!r}.", hint=hint)


def _standing(
    session: Session, directory: Directory, rotation: str, standing: list[Override], *, now: datetime
) -> Standing:
    rota = directory.rotas[rotation]
    current, *following = islice(stints(rota, standing, now), MOST_SHOWN)
    begun = replace(current, starts_at=begun_at(rota, overrides.recent(session, rotation, now=now), now))
    rows = [session.get_one(OnCallOverride, each.id) for each in standing]
    members = {*rota.members, *rota.otherwise, *(each.member for each in standing)}
    return Standing(
        rotation, rota, (begun, *following), tuple(rows), next_handover(rota, now), names_of(session, members)
    )


def names_of(session: Session, members: Collection[str]) -> dict[str, str]:
    """How people see these recipients: people by their accounts, or else as they call themselves, chats by their
    titles, all others as they are written."""
    meant = {member: recipient_of(member) for member in members}
    readers = people.readers(session, {each.name for each in meant.values() if each.kind is RecipientKind.PERSON})
    chat_ids = [each.name for each in meant.values() if each.kind is RecipientKind.CHAT]
    asked = select(Chat.id, Chat.title).where(col(Chat.id).in_(chat_ids), col(Chat.title).is_not(None))
    shown = {chat_id: str(title) for chat_id, title in session.exec(asked)} if chat_ids else {}
    everybody = {**readers, **people.readers_of_chats(session, chat_ids)}
    shown |= {name: reader.label for name, reader in everybody.items()}
    return {member: shown.get(each.name, member) for member, each in meant.items()}


@dataclass(frozen=True)
class Hand:
    """Whose hand changes a rotation. `name`: as in the timeline; `is_of`: all that recipients may call them; `allowed`:
    to whom they may send."""

    name: str
    account: str
    is_of: frozenset[Recipient]
    is_admin: bool
    allowed: frozenset[str] | None = None

    def may_change(self, directory: Directory, rotation: str) -> bool:
        """Who is never on call in a rotation would get, by an override, what is not meant for them."""
        return self.is_admin or not self.is_of.isdisjoint(directory.names.get(rotation, ()))


def hand_of_account(session: Session, account: str, *, is_admin: bool, allowed: frozenset[str] | None) -> Hand:
    """A caller's."""
    found = session.exec(select(Person).where(Person.account == account)).first()
    known = {person(account)} if found is None else identities(found)
    return Hand(f"account:{account}", account, frozenset(known), is_admin, allowed)


def hand_of_person(found: Person, directory: Directory, admins: Collection[str]) -> Hand:
    """That of somebody at Telegram; `admins`: recipients, as the config names them."""
    known = frozenset(identities(found))
    chosen = {member for admin in admins for member in directory.members(recipient_of(admin))}
    # Where a name of the config is called like their account, it would be taken for that.
    account = found.user_id if found.account is None or found.account in directory.names else found.account
    return Hand(f"telegram:{found.chat_id}", account, known, not known.isdisjoint(chosen))


def identities(found: Person) -> set[Recipient]:
    """All that recipients may call them."""
    names = {person(found.user_id), Recipient(RecipientKind.CHAT, found.chat_id)}
    return names if found.account is None else {*names, person(found.account)}


def names_any(session: Session, directory: Directory, asked: Collection[Recipient], others: Collection[str]) -> bool:
    """Whether the config names one of these: under recipients, in a rotation, or by one of the `others`."""
    named = {member for members in directory.names.values() for member in members}
    named |= {member for text in others for member in directory.members(recipient_of(text))}
    if not named.isdisjoint(asked):
        return True
    chat_ids = [each.name for each in named if each.kind is RecipientKind.CHAT]
    stand_for = chats.current(session, chat_ids) if chat_ids else {}
    return any(Recipient(RecipientKind.CHAT, chat.id) in asked for chat in stand_for.values())


@dataclass(frozen=True)
class StandIn:
    """Who is to be on call instead, and for how long; `starts_at` None, or in the past: from now on."""

    rotation: str
    member: str
    starts_at: datetime | None
    ends_at: datetime


def override(session: Session, wanted: StandIn, hand: Hand, directory: Directory, *, now: datetime) -> OnCallOverride:
    """Let somebody stand in. The latest override goes before all others, and one that begins now takes the place of
    what the same hand chose for the same member before.

    Raises NotFound for no rotation, Forbidden for who may not change it, or not send to that member; NotifybotError for
    a member whom nobody knows, and for a time that cannot be; Conflict for one without a chat, and for too many.
    """
    check_known(directory, wanted.rotation)
    _check_hand(hand, directory, wanted.rotation)
    starts_at = max(now, wanted.starts_at or now)
    _check_time(starts_at, wanted.ends_at, now=now)
    member = _checked_member(session, wanted.member, hand, directory, now=now)
    if starts_at == now:
        _end(session, _running(session, wanted.rotation, member, now=now, created_by=hand.name), now=now)
    _check_room(session, wanted.rotation, now=now)
    made = OnCallOverride(
        id=new_id(now),
        rotation=wanted.rotation,
        member=member,
        starts_at=starts_at,
        ends_at=wanted.ends_at,
        created_at=now,
        created_by=hand.name,
    )
    session.add(made)
    _look_again(session, wanted.rotation, now=now)
    return made


def cancel(session: Session, override_id: str, hand: Hand, directory: Directory, *, now: datetime) -> OnCallOverride:
    """End an override; one that has ended stays as it is. Raises NotFound, Forbidden."""
    found = session.get(OnCallOverride, override_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no override with this id.", hint="GET /api/oncall shows those that stand.")
    _check_hand(hand, directory, found.rotation)
    if found.cancelled_at is None and found.ends_at > now:
        _end(session, [found], now=now)
        _look_again(session, found.rotation, now=now)
    return found


def give_back(session: Session, standing: Standing, hand: Hand, directory: Directory, *, now: datetime) -> None:
    """End all by which whoever stands in now does so. Raises Forbidden; NotFound, where nobody stands in."""
    _check_hand(hand, directory, standing.rotation)
    override = standing.now.duty.override
    if override is None:
        raise NotFound("Nobody stands in at the moment.")
    _end(session, _running(session, standing.rotation, override.member, now=now), now=now)
    _look_again(session, standing.rotation, now=now)


def _running(
    session: Session, rotation: str, member: str, *, now: datetime, created_by: str | None = None
) -> Sequence[OnCallOverride]:
    """The overrides by which this member stands in at `now`; `created_by`: as far as this hand made them."""
    runs = (col(OnCallOverride.starts_at) <= now, col(OnCallOverride.ends_at) > now)
    stands = (*runs, col(OnCallOverride.cancelled_at).is_(None))
    asked = select(OnCallOverride).where(*stands, OnCallOverride.rotation == rotation, OnCallOverride.member == member)
    return [each for each in session.exec(asked) if created_by in (None, each.created_by)]


def _end(session: Session, ended: Sequence[OnCallOverride], *, now: datetime) -> None:
    for each in ended:
        each.cancelled_at = now
        session.add(each)
    session.flush()


def _check_hand(hand: Hand, directory: Directory, rotation: str) -> None:
    if not hand.may_change(directory, rotation):
        raise Forbidden(
            f"Only who takes turns in {rotation}, or an admin, may change who is on call.",
            hint="One of them can put you in.",
        )


def _check_time(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if ends_at > now + LONGEST:
        raise NotifybotError("An override ends within 366 days.")
    if ends_at <= starts_at:
        raise NotifybotError("An override ends after it begins, and ahead of now.")


def _checked_member(session: Session, member: str, hand: Hand, directory: Directory, *, now: datetime) -> str:
    """The member in the spelling of the config, who can be told something."""
    meant = recipient_of(member)
    if meant == EVERYBODY or directory.turns(meant):
        hint = "Name a person, a chat, or a name of the config that holds no rotation."
        raise NotifybotError(f"{meant.name} cannot stand in for anybody.", hint=hint)
    whom = Whom(hand.account, (meant,), hand.allowed)
    way = routing.way_of(session, whom, routing.look_up(session, [whom], directory, now=now))
    if meant.kind is RecipientKind.CHAT:
        _check_heard_of(session, meant.name, way.destinations[0].chat.id, directory)
    return meant.name


def _check_heard_of(session: Session, name: str, chat_id: str, directory: Directory) -> None:
    """Raise Conflict for a chat of which nobody has heard: alerts would go there, and be read nowhere.

    A group that the config names is known; a private chat is once its person has pressed /start.
    """
    heard = select(Chat.id).where(col(Chat.id).in_({name, chat_id}), col(Chat.kind).is_not(None))
    if session.exec(heard).first() is not None or people.readers_of_chats(session, [chat_id]):
        return
    is_private = chat_id.isdecimal()
    if not is_private and any(recipient_of(name) in members for members in directory.names.values()):
        return
    hint = "They press /start with the bot." if is_private else "Let the bot in, or send something there."
    raise Conflict(f"{name} has no chat with the bot, as far as it has heard.", hint=hint)


def _check_room(session: Session, rotation: str, *, now: datetime) -> None:
    standing = (col(OnCallOverride.ends_at) > now, col(OnCallOverride.cancelled_at).is_(None))
    asked = select(func.count()).select_from(OnCallOverride).where(*standing, col(OnCallOverride.rotation) == rotation)
    if session.exec(asked).one() >= MOST_OVERRIDES:
        raise Conflict(f"{rotation} has {MOST_OVERRIDES} overrides already.", hint="Cancel some of them.")


def _look_again(session: Session, rotation: str, *, now: datetime) -> None:
    """Somebody else's turn may have begun."""
    session.flush()
    affected(session, update(OnCallTurn).where(col(OnCallTurn.rotation) == rotation).values(look_at=now))
    changes(session).note_deadline(Deadline.TURN, now)
