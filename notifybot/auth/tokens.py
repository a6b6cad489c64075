"""API tokens: made once, shown once, kept as a hash, taken back at any time."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from notifybot.auth.permissions import Caller, Scope
from notifybot.errors import Conflict, NotFound, NotifybotError, did_you_mean
from notifybot.model.ids import new_id
from notifybot.model.people import ApiToken

PREFIX = "nb_"
"""Says at a glance, and to those who search repositories for leaked secrets, what this is."""
SECRET_BYTES = 32
USES_NOTED_EVERY = timedelta(minutes=1)
"""A token's last use is written down so often at most: not every request is worth a write."""


@dataclass(frozen=True)
class NewToken:
    """What an admin asks for. `recipients` None: as `socket.allow` says; `lasts` None: until it is revoked."""

    name: str
    account: str
    scopes: frozenset[Scope]
    recipients: tuple[str, ...] | None = None
    lasts: timedelta | None = None


def create(session: Session, new: NewToken, *, actor: str, now: datetime) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can find out again. Raises Conflict while its name is in use."""
    if Scope.ADMIN in new.scopes and new.recipients is not None:
        raise NotifybotError(
            "A token with the scope admin may send to anybody: it could make itself another one.",
            hint="Leave the recipients out, or the scope admin.",
        )
    _free_name(session, new.name, now)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = ApiToken(
        id=new_id(now),
        name=new.name,
        account=new.account,
        digest=digest(secret),
        scopes=[scope.value for scope in Scope if scope in new.scopes],
        recipients=None if new.recipients is None else list(new.recipients),
        created_at=now,
        created_by=actor,
        expires_at=None if new.lasts is None else now + new.lasts,
    )
    session.add(token)
    session.flush()
    return token, secret


def _free_name(session: Session, name: str, now: datetime) -> None:
    """Let a name be used again once its token is over."""
    holder = session.exec(select(ApiToken).where(ApiToken.name == name)).first()
    if holder is None:
        return
    if is_valid(holder, now):
        raise Conflict(f"There is a token {name!r} already.", hint=f"`notifybot token revoke {name}` ends it.")
    session.delete(holder)
    session.flush()


def all_tokens(session: Session) -> Sequence[ApiToken]:
    """All tokens, in the order in which they were made."""
    return session.exec(select(ApiToken).order_by(col(ApiToken.id))).all()


def revoke(session: Session, name: str, *, now: datetime) -> ApiToken:
    """End a token at once; the second time changes nothing. Raises NotFound, naming the nearest."""
    token = session.exec(select(ApiToken).where(ApiToken.name == name)).first()
    if token is None:
        near = did_you_mean(name, session.exec(select(ApiToken.name)).all())
        hint = f"Did you mean {near}?" if near else "`notifybot token list` shows them."
        raise NotFound(f"There is no token {name!r}.", hint=hint)
    if token.revoked_at is None:
        token.revoked_at = now
        session.add(token)
    return token


def find(session: Session, secret: str, *, now: datetime) -> ApiToken | None:
    """The token with this secret, if it holds now.

    Unknown, revoked and expired ones take the same way and time. What is compared is a hash of the guess, of which
    nobody can choose the beginning.
    """
    token = session.exec(select(ApiToken).where(ApiToken.digest == digest(secret))).first()
    return token if token is not None and is_valid(token, now) else None


def is_valid(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def note_use(session: Session, token_id: str, *, now: datetime) -> None:
    token = session.get(ApiToken, token_id)
    if token is not None:
        token.last_used_at = now
        session.add(token)


def is_use_worth_noting(token: ApiToken, now: datetime) -> bool:
    return token.last_used_at is None or now - token.last_used_at >= USES_NOTED_EVERY


def caller_with(token: ApiToken, *, allowed: frozenset[str] | None) -> Caller:
    """Whoever bears this token; `allowed` is to whom they may send where the token does not say."""
    is_admin = Scope.ADMIN in token.scopes
    own = allowed if token.recipients is None else frozenset(token.recipients)
    return Caller(
        account=token.account,
        is_admin=is_admin,
        may_send=is_admin or Scope.SEND in token.scopes,
        may_read=is_admin or Scope.READ in token.scopes,
        allowed=None if is_admin else own,
        is_local=False,
    )


def digest(secret: str) -> str:
    """Of 256 bits of chance no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
