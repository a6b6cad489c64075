"""Change who is on call: overrides, and who may make them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from notifybot.auth.admins import is_admin_person
from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.model.chats import Chat
from notifybot.model.enums import Deadline
from notifybot.model.ids import new_id
from notifybot.model.people import Person
from notifybot.model.schedules import OnCallOverride, OnCallTurn
from notifybot.oncall.status import RotationStatus, check_known
from notifybot.people import people
from notifybot.posts import chats
from notifybot.recipients import lookup, resolve
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import RecipientQuery
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes
from notifybot.times.spans import LONGEST

MAX_OVERRIDES = 100
"""Running and upcoming overrides of one rotation."""


@dataclass(frozen=True)
class Editor:
    """Someone who changes a rotation.

    `name`: as in `created_by`; `aliases`: all recipients that mean them; `allowed`: recipients that they may send to.
    """

    name: str
    account: str
    aliases: frozenset[Recipient]
    is_admin: bool
    allowed: frozenset[str] | None = None

    def may_change(self, directory: Directory, rotation: str) -> bool:
        """Return True if they may change this rotation: an override lets outsiders read what they should not."""
        return self.is_admin or not self.aliases.isdisjoint(directory.names.get(rotation, ()))


def editor_of_account(session: Session, account: str, *, is_admin: bool, allowed: frozenset[str] | None) -> Editor:
    person = session.exec(select(Person).where(Person.account == account)).first()
    aliases = {person_recipient(account)} if person is None else aliases_of(person)
    return Editor(f"account:{account}", account, frozenset(aliases), is_admin, allowed)


def editor_of_person(person: Person, directory: Directory, admins: Collection[str]) -> Editor:
    """Return the editor for someone in Telegram; `admins`: recipients from the config."""
    aliases = frozenset(aliases_of(person))
    is_admin = is_admin_person(aliases, {member for each in admins for member in directory.members(recipient_of(each))})
    # An account that is also a name in the config would be read as that name.
    account = person.user_id if person.account is None or person.account in directory.names else person.account
    return Editor(f"telegram:{person.chat_id}", account, aliases, is_admin)


def aliases_of(person: Person) -> set[Recipient]:
    """Return all recipients that mean this person."""
    aliases = {person_recipient(person.user_id), Recipient(RecipientKind.CHAT, person.chat_id)}
    return aliases if person.account is None else {*aliases, person_recipient(person.account)}


def config_names_any(
    session: Session, directory: Directory, asked: Collection[Recipient], others: Collection[str]
) -> bool:
    """Return True if the config lists one of these: under recipients, in a rotation, or among `others`."""
    named = {member for members in directory.names.values() for member in members}
    named |= {member for text in others for member in directory.members(recipient_of(text))}
    if not named.isdisjoint(asked):
        return True
    chat_ids = {each.chat_id for each in named if each.kind is RecipientKind.CHAT}
    current = chats.current(session, chat_ids) if chat_ids else {}
    return any(Recipient(RecipientKind.CHAT, chat.id) in asked for chat in current.values())


@dataclass(frozen=True)
class NewOverride:
    """A requested override. `starts_at` None, or in the past: from now on."""

    rotation: str
    member: str
    starts_at: datetime | None
    ends_at: datetime


def add_override(
    session: Session, new: NewOverride, editor: Editor, directory: Directory, *, now: datetime
) -> OnCallOverride:
    """Put someone on call for a while. The latest override wins.

    One that starts now replaces earlier ones by the same editor for the same member. Raises NotFound for an unknown
    rotation; Forbidden if the editor cannot change it or send to the member; NotifybotError for an unknown member or an
    impossible time; Conflict for a member without a chat, and above MAX_OVERRIDES.
    """
    check_known(directory, new.rotation)
    _check_editor(editor, directory, new.rotation)
    starts_at = max(now, new.starts_at or now)
    _check_time(starts_at, new.ends_at, now=now)
    member = _checked_member(session, new.member, editor, directory, now=now)
    if starts_at == now:
        _end_overrides(session, _running(session, new.rotation, member, now=now, created_by=editor.name), now=now)
    _check_limit(session, new.rotation, now=now)
    made = OnCallOverride(
        id=new_id(now),
        rotation=new.rotation,
        member=member,
        starts_at=starts_at,
        ends_at=new.ends_at,
        created_at=now,
        created_by=editor.name,
    )
    session.add(made)
    _recheck_shift(session, new.rotation, now=now)
    return made


def cancel_override(
    session: Session, override_id: str, editor: Editor, directory: Directory, *, now: datetime
) -> OnCallOverride:
    """End an override; one that has ended stays unchanged. Raises NotFound, Forbidden."""
    found = session.get(OnCallOverride, override_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no override with this id.", hint="GET /api/oncall lists them.")
    _check_editor(editor, directory, found.rotation)
    if found.cancelled_at is None and found.ends_at > now:
        _end_overrides(session, [found], now=now)
        _recheck_shift(session, found.rotation, now=now)
    return found


def end_current_override(
    session: Session, status: RotationStatus, editor: Editor, directory: Directory, *, now: datetime
) -> None:
    """End all overrides for the member of the active one. Raises Forbidden; NotFound if none is active."""
    _check_editor(editor, directory, status.name)
    override = status.current.assignment.override
    if override is None:
        raise NotFound("There is no active override.")
    _end_overrides(session, _running(session, status.name, override.member, now=now), now=now)
    _recheck_shift(session, status.name, now=now)


def _running(
    session: Session, rotation: str, member: str, *, now: datetime, created_by: str | None = None
) -> Sequence[OnCallOverride]:
    """Return the overrides that put this member on call now; with `created_by` only those of one editor."""
    runs = (col(OnCallOverride.starts_at) <= now, col(OnCallOverride.ends_at) > now)
    is_active = (*runs, col(OnCallOverride.cancelled_at).is_(None))
    of_member = (OnCallOverride.rotation == rotation, OnCallOverride.member == member)
    asked = select(OnCallOverride).where(*is_active, *of_member)
    return [each for each in session.exec(asked) if created_by in (None, each.created_by)]


def _end_overrides(session: Session, ended: Sequence[OnCallOverride], *, now: datetime) -> None:
    for each in ended:
        each.cancelled_at = now
        session.add(each)
    session.flush()


def _check_editor(editor: Editor, directory: Directory, rotation: str) -> None:
    if not editor.may_change(directory, rotation):
        raise Forbidden(
            f"Only members of {rotation} and admins may change who is on call.",
            hint="One of them can put you on call.",
        )


def _check_time(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if ends_at > now + LONGEST:
        raise NotifybotError("An override must end within 366 days.")
    if ends_at <= starts_at:
        raise NotifybotError("An override must end after it starts, and in the future.")


def _checked_member(session: Session, member: str, editor: Editor, directory: Directory, *, now: datetime) -> str:
    """Return the member in the config's spelling, or refuse one who cannot be notified."""
    meant = recipient_of(member)
    if meant == EVERYBODY or directory.is_rotating(meant):
        hint = "Use a person, a chat, or a name in the config that contains no rotation."
        raise NotifybotError(f"{meant.name} cannot be put on call.", hint=hint)
    query = RecipientQuery(editor.account, (meant,), editor.allowed)
    resolved = resolve.resolve_request(session, query, lookup.look_up(session, [query], directory, now=now))
    if meant.kind is RecipientKind.CHAT:
        _check_chat_known(session, meant.chat_id, resolved.destinations[0].chat.id, directory)
    return meant.name


def _check_chat_known(session: Session, name: str, chat_id: str, directory: Directory) -> None:
    """Raise Conflict for a chat that the bot has never seen, as nobody would read its alerts.

    A group that the config lists is known; a private chat once its owner has pressed /start.
    """
    seen = select(Chat.id).where(col(Chat.id).in_({name, chat_id}), col(Chat.kind).is_not(None))
    if session.exec(seen).first() is not None or people.readers_of_chats(session, [chat_id]):
        return
    is_private = chat_id.isdecimal()
    if not is_private and any(recipient_of(name) in members for members in directory.names.values()):
        return
    hint = "They send /start to the bot." if is_private else "Add the bot to it, or send a message there."
    raise Conflict(f"The bot has never seen the chat {name}.", hint=hint)


def _check_limit(session: Session, rotation: str, *, now: datetime) -> None:
    is_active = (col(OnCallOverride.ends_at) > now, col(OnCallOverride.cancelled_at).is_(None))
    asked = select(func.count()).select_from(OnCallOverride).where(*is_active, col(OnCallOverride.rotation) == rotation)
    if session.exec(asked).one() >= MAX_OVERRIDES:
        raise Conflict(f"{rotation} has {MAX_OVERRIDES} overrides already.", hint="Cancel some first.")


def _recheck_shift(session: Session, rotation: str, *, now: datetime) -> None:
    """Let the job look at once, as another shift may have started."""
    session.flush()
    affected(session, update(OnCallTurn).where(col(OnCallTurn.rotation) == rotation).values(look_at=now))
    changes(session).note_deadline(Deadline.SHIFT, now)
