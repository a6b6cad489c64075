"""Change who is on call: overrides, and who may make them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.model.chats import Chat
from notifybot.model.enums import Deadline
from notifybot.model.ids import new_id
from notifybot.model.people import Person
from notifybot.model.schedules import OnCallOverride, OnCallTurn
from notifybot.oncall.shifts import RotationStatus, check_known
from notifybot.people import people
from notifybot.posts import chats
from notifybot.recipients import lookup, resolve
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import RecipientQuery
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes
from notifybot.times.spans import LONGEST

MOST_OVERRIDES = 100
"""Of one rotation, that have not ended."""


@dataclass(frozen=True)
class Editor:
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


def editor_of_account(session: Session, account: str, *, is_admin: bool, allowed: frozenset[str] | None) -> Editor:
    """A caller's."""
    found = session.exec(select(Person).where(Person.account == account)).first()
    known = {person_recipient(account)} if found is None else aliases_of(found)
    return Editor(f"account:{account}", account, frozenset(known), is_admin, allowed)


def editor_of_person(found: Person, directory: Directory, admins: Collection[str]) -> Editor:
    """That of somebody at Telegram; `admins`: recipients, as the config names them."""
    known = frozenset(aliases_of(found))
    chosen = {member for admin in admins for member in directory.members(recipient_of(admin))}
    # Where a name of the config is called like their account, it would be taken for that.
    account = found.user_id if found.account is None or found.account in directory.names else found.account
    return Editor(f"telegram:{found.chat_id}", account, known, not known.isdisjoint(chosen))


def aliases_of(found: Person) -> set[Recipient]:
    """All that recipients may call them."""
    names = {person_recipient(found.user_id), Recipient(RecipientKind.CHAT, found.chat_id)}
    return names if found.account is None else {*names, person_recipient(found.account)}


def config_names_any(
    session: Session, directory: Directory, asked: Collection[Recipient], others: Collection[str]
) -> bool:
    """Whether the config names one of these: under recipients, in a rotation, or by one of the `others`."""
    named = {member for members in directory.names.values() for member in members}
    named |= {member for text in others for member in directory.members(recipient_of(text))}
    if not named.isdisjoint(asked):
        return True
    chat_ids = [each.name for each in named if each.kind is RecipientKind.CHAT]
    stand_for = chats.current(session, chat_ids) if chat_ids else {}
    return any(Recipient(RecipientKind.CHAT, chat.id) in asked for chat in stand_for.values())


@dataclass(frozen=True)
class NewOverride:
    """Who is to be on call instead, and for how long; `starts_at` None, or in the past: from now on."""

    rotation: str
    member: str
    starts_at: datetime | None
    ends_at: datetime


def add_override(
    session: Session, wanted: NewOverride, hand: Editor, directory: Directory, *, now: datetime
) -> OnCallOverride:
    """Let somebody stand in. The latest override goes before all others, and one that begins now takes the place of
    what the same hand chose for the same member before.

    Raises NotFound for no rotation, Forbidden for who may not change it, or not send to that member; NotifybotError for
    a member whom nobody knows, and for a time that cannot be; Conflict for one without a chat, and for too many.
    """
    check_known(directory, wanted.rotation)
    _check_editor(hand, directory, wanted.rotation)
    starts_at = max(now, wanted.starts_at or now)
    _check_time(starts_at, wanted.ends_at, now=now)
    member = _checked_member(session, wanted.member, hand, directory, now=now)
    if starts_at == now:
        _end_overrides(session, _running(session, wanted.rotation, member, now=now, created_by=hand.name), now=now)
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
    _recheck_shift(session, wanted.rotation, now=now)
    return made


def cancel_override(
    session: Session, override_id: str, hand: Editor, directory: Directory, *, now: datetime
) -> OnCallOverride:
    """End an override; one that has ended stays as it is. Raises NotFound, Forbidden."""
    found = session.get(OnCallOverride, override_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no override with this id.", hint="GET /api/oncall shows those that stand.")
    _check_editor(hand, directory, found.rotation)
    if found.cancelled_at is None and found.ends_at > now:
        _end_overrides(session, [found], now=now)
        _recheck_shift(session, found.rotation, now=now)
    return found


def end_current_override(
    session: Session, standing: RotationStatus, hand: Editor, directory: Directory, *, now: datetime
) -> None:
    """End all by which whoever stands in now does so. Raises Forbidden; NotFound, where nobody stands in."""
    _check_editor(hand, directory, standing.rotation)
    override = standing.now.duty.override
    if override is None:
        raise NotFound("Nobody stands in at the moment.")
    _end_overrides(session, _running(session, standing.rotation, override.member, now=now), now=now)
    _recheck_shift(session, standing.rotation, now=now)


def _running(
    session: Session, rotation: str, member: str, *, now: datetime, created_by: str | None = None
) -> Sequence[OnCallOverride]:
    """The overrides by which this member stands in at `now`; `created_by`: as far as this hand made them."""
    runs = (col(OnCallOverride.starts_at) <= now, col(OnCallOverride.ends_at) > now)
    stands = (*runs, col(OnCallOverride.cancelled_at).is_(None))
    asked = select(OnCallOverride).where(*stands, OnCallOverride.rotation == rotation, OnCallOverride.member == member)
    return [each for each in session.exec(asked) if created_by in (None, each.created_by)]


def _end_overrides(session: Session, ended: Sequence[OnCallOverride], *, now: datetime) -> None:
    for each in ended:
        each.cancelled_at = now
        session.add(each)
    session.flush()


def _check_editor(hand: Editor, directory: Directory, rotation: str) -> None:
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


def _checked_member(session: Session, member: str, hand: Editor, directory: Directory, *, now: datetime) -> str:
    """The member in the spelling of the config, who can be told something."""
    meant = recipient_of(member)
    if meant == EVERYBODY or directory.turns(meant):
        hint = "Name a person, a chat, or a name of the config that holds no rotation."
        raise NotifybotError(f"{meant.name} cannot stand in for anybody.", hint=hint)
    whom = RecipientQuery(hand.account, (meant,), hand.allowed)
    way = resolve.resolve_request(session, whom, lookup.look_up(session, [whom], directory, now=now))
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


def _recheck_shift(session: Session, rotation: str, *, now: datetime) -> None:
    """Somebody else's turn may have begun."""
    session.flush()
    affected(session, update(OnCallTurn).where(col(OnCallTurn.rotation) == rotation).values(look_at=now))
    changes(session).note_deadline(Deadline.SHIFT, now)
