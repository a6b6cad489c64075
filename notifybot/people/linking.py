"""Link an account to a chat with a one-time code or a one-time deep link."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from notifybot.errors import NotFound, NotifybotError, Unavailable
from notifybot.model.actors import Actor
from notifybot.model.chats import Chat
from notifybot.model.people import LinkSecret, Person
from notifybot.people import code_limits
from notifybot.people.link_texts import AccountLink, linked_text, moved_text, unlinked_text
from notifybot.people.people import replan_summary
from notifybot.posts import replies
from notifybot.storage.statements import affected
from notifybot.system.secret_key import SecretKey

VALID_FOR = timedelta(minutes=10)
USED_RETENTION = timedelta(days=1)
"""How long the requester of a deep link can see that it was used."""
CODES = 1_000_000
MAX_TRIES = 100
MAX_TOKENS = 10
"""Valid tokens of one account; another one voids the oldest."""
TOKEN_BYTES = 32
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Characters that Telegram allows in a deep link."""

WRONG_CODE = "This code is wrong, used or expired."
WRONG_CODE_HINT = "Send /start to the bot for a new one; it is valid for 10 minutes, once."


@dataclass(frozen=True)
class LinkToken:
    """The secret of a deep link, returned once and stored only as a hash."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class LinkRefusal:
    """A refused link, returned rather than raised so that the counted guess is committed.

    `is_last`: this guess exhausted the rate limit.
    """

    error: NotifybotError
    is_last: bool = False


def new_code(session: Session, key: SecretKey, chat_id: str, *, now: datetime) -> str:
    """Make a link code for a chat, and void its earlier ones."""
    own = (col(LinkSecret.chat_id) == chat_id, col(LinkSecret.account).is_(None))
    affected(session, delete(LinkSecret).where(*own))
    for _ in range(MAX_TRIES):
        code = f"{secrets.randbelow(CODES):06d}"
        if add_code(session, key, code, chat_id, expires_at=now + VALID_FOR, now=now):
            return code
    raise Unavailable("All link codes are in use.", hint="Try again in a few minutes.")


def add_code(session: Session, key: SecretKey, code: str, chat_id: str, *, expires_at: datetime, now: datetime) -> bool:
    """Store a chat's code; False if another chat has the same one."""
    digest = key.digest("code", code)
    taken = session.get(LinkSecret, digest)
    if taken is not None and taken.expires_at > now:
        return False
    if taken is not None:
        session.delete(taken)
        session.flush()
    session.add(LinkSecret(digest=digest, chat_id=chat_id, expires_at=expires_at))
    session.flush()
    return True


def holder_of_code(session: Session, key: SecretKey, code: str, *, now: datetime) -> str | None:
    """Return the chat with this valid code."""
    found = session.get(LinkSecret, key.digest("code", code))
    return None if found is None or found.expires_at <= now else found.chat_id


def new_token(session: Session, key: SecretKey, account: str, actor: Actor, *, now: datetime) -> LinkToken:
    """Make the secret of a deep link that links `account` to the chat that opens it, at the request of `actor`."""
    _void_oldest_tokens(session, account)
    made = LinkToken(secrets.token_urlsafe(TOKEN_BYTES), now + VALID_FOR)
    digest = key.digest("token", made.token)
    session.add(LinkSecret(digest=digest, account=account, actor=actor.name, expires_at=made.expires_at))
    session.flush()
    return made


def _void_oldest_tokens(session: Session, account: str) -> None:
    unused = (col(LinkSecret.account) == account, col(LinkSecret.used_at).is_(None))
    newest_first = select(LinkSecret.digest).where(*unused).order_by(col(LinkSecret.expires_at).desc())
    old = session.exec(newest_first.offset(MAX_TOKENS - 1)).all()
    if old:
        affected(session, delete(LinkSecret).where(col(LinkSecret.digest).in_(old)))


def token_used_at(session: Session, key: SecretKey, token: str, account: str, *, now: datetime) -> datetime | None:
    """Return when this token linked the account; None while it is unused, or after the link was undone.

    Raises NotFound if the token is unknown, expired, or belongs to another account.
    """
    found = session.get(LinkSecret, key.digest("token", token))
    is_known = found is not None and (found.used_at is not None or found.expires_at > now)
    if found is None or not is_known or found.account != account:
        raise NotFound(
            "This token is unknown or expired, or belongs to another account.",
            hint="GET /api/telegram/link-account makes a new one, valid for 10 minutes.",
        )
    person = person_of(session, account)
    return found.used_at if person is not None and person.chat_id == found.chat_id else None


def verify(
    session: Session, key: SecretKey, code: str, account: str, actor: Actor, *, now: datetime
) -> AccountLink | LinkRefusal:
    """Link `account` to the chat that this code was given to; count a wrong code."""
    if (too_many := code_limits.check(session, account, now=now)) is not None:
        return LinkRefusal(too_many)
    digest = key.digest("code", code)
    unused = (col(LinkSecret.digest) == digest, col(LinkSecret.account).is_(None), col(LinkSecret.expires_at) > now)
    if not affected(session, update(LinkSecret).where(*unused).values(account=account, used_at=now)):
        code_limits.note(session, account, now=now)
        is_last = code_limits.check(session, account, now=now) is not None
        return LinkRefusal(NotifybotError(WRONG_CODE, hint=WRONG_CODE_HINT), is_last)
    chat_id = session.exec(select(LinkSecret.chat_id).where(LinkSecret.digest == digest)).one()
    person = session.exec(select(Person).where(Person.chat_id == chat_id)).one_or_none()
    if person is None:  # removed since
        return LinkRefusal(NotifybotError(WRONG_CODE, hint=WRONG_CODE_HINT))
    return _link(session, person, account, actor.name, how="with the code from this chat", now=now)


def use_token(session: Session, key: SecretKey, token: str, person: Person, *, now: datetime) -> AccountLink | None:
    """Link the account of this deep link to the chat that it was opened in; None if the token is not valid."""
    if not TOKEN.fullmatch(token):
        return None
    digest = key.digest("token", token)
    unused = (col(LinkSecret.digest) == digest, col(LinkSecret.used_at).is_(None), col(LinkSecret.expires_at) > now)
    if not affected(session, update(LinkSecret).where(*unused).values(chat_id=person.chat_id, used_at=now)):
        return None
    account, actor = session.exec(select(LinkSecret.account, LinkSecret.actor).where(LinkSecret.digest == digest)).one()
    assert account is not None
    assert actor is not None
    return _link(session, person, account, actor, how="with the link that you opened", now=now)


def _link(session: Session, person: Person, account: str, actor: str, *, how: str, now: datetime) -> AccountLink:
    """Make this the account's only chat, and notify everyone concerned."""
    previous = person_of(session, account)
    previous = None if previous is None or previous.user_id == person.user_id else previous
    if previous is not None:
        _clear_link(session, previous)
    left = person.account if person.account != account else None
    person.account, person.linked_at, person.linked_by = account, now, actor
    session.add(person)
    session.flush()
    replan_summary(session, now=now)
    link = AccountLink(person, left, previous)
    replies.queue_reply(session, person.chat_id, linked_text(link, actor, how), now=now)
    if previous is not None:
        replies.queue_reply(session, previous.chat_id, moved_text(link, actor), now=now)
    return link


def unlink(session: Session, *, chat_id: str, actor: Actor, now: datetime) -> str | None:
    """Unlink a chat, which stays subscribed, and notify it unless its owner did it there.

    Return the account; None if there was none.
    """
    person = session.exec(select(Person).where(Person.chat_id == chat_id)).one_or_none()
    return None if person is None else _unlink(session, person, actor, now=now)


def unlink_account(session: Session, account: str, actor: Actor, *, now: datetime) -> bool:
    """Unlink an account from its chat, which stays subscribed and is notified; False if it had none."""
    person = person_of(session, account)
    return person is not None and _unlink(session, person, actor, now=now) is not None


def _unlink(session: Session, person: Person, actor: Actor, *, now: datetime) -> str | None:
    account = person.account
    if account is None:
        return None
    _clear_link(session, person)
    replan_summary(session, now=now)
    if not actor.name.startswith("telegram:"):
        replies.queue_reply(session, person.chat_id, unlinked_text(account, actor.name), now=now)
    return account


def _clear_link(session: Session, person: Person) -> None:
    person.account = person.linked_at = person.linked_by = None
    session.add(person)
    session.flush()


def person_of(session: Session, account: str) -> Person | None:
    return session.exec(select(Person).where(Person.account == account)).one_or_none()


@dataclass(frozen=True)
class PersonStatus:
    """A person and why their chat is unreachable; None if it is not."""

    person: Person
    unreachable: str | None


def status_of(session: Session, account: str) -> PersonStatus | None:
    person = person_of(session, account)
    if person is None:
        return None
    return PersonStatus(person, session.exec(select(Chat.unreachable).where(Chat.id == person.chat_id)).one())


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete secrets that expired longer than USED_RETENTION ago."""
    return affected(session, delete(LinkSecret).where(col(LinkSecret.expires_at) < now - USED_RETENTION))
