"""API tokens: create, list, revoke, verify. Only a hash of the secret is stored."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from notifybot.auth.admins import is_admin_token
from notifybot.auth.permissions import Caller, Scope
from notifybot.errors import Conflict, NotFound, NotifybotError, did_you_mean
from notifybot.model.ids import new_id
from notifybot.model.people import ApiToken

PREFIX = "nb_"
"""Lets people and secret scanners recognize a token."""
SECRET_BYTES = 32
USE_RECORDED_EVERY = timedelta(minutes=1)
"""Not every request is worth a write."""


@dataclass(frozen=True)
class NewToken:
    """Fields of a new token. `recipients` None: those of `socket.allow`; `lasts` None: it does not expire."""

    name: str
    account: str
    scopes: frozenset[Scope]
    recipients: tuple[str, ...] | None = None
    lasts: timedelta | None = None


def create(session: Session, new: NewToken, *, actor: str, now: datetime) -> tuple[ApiToken, str]:
    """Return a new token and its secret, which is not stored. Raise Conflict while its name is in use."""
    if is_admin_token(new.scopes) and new.recipients is not None:
        raise NotifybotError(
            "A token with the scope admin cannot be limited to recipients: it could create another token.",
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
    """Delete the expired or revoked token of this name. Raise Conflict if it is valid."""
    holder = session.exec(select(ApiToken).where(ApiToken.name == name)).first()
    if holder is None:
        return
    if is_valid(holder, now):
        raise Conflict(f"There is already a token {name!r}.", hint=f"Revoke it with: notifybot token revoke {name}")
    session.delete(holder)
    session.flush()


def all_tokens(session: Session) -> Sequence[ApiToken]:
    """Return all tokens, the oldest first."""
    return session.exec(select(ApiToken).order_by(col(ApiToken.id))).all()


def revoke(session: Session, name: str, *, now: datetime) -> ApiToken:
    """Revoke a token, if it is not revoked yet. Raise NotFound with the nearest name."""
    token = session.exec(select(ApiToken).where(ApiToken.name == name)).first()
    if token is None:
        near = did_you_mean(name, session.exec(select(ApiToken.name)).all())
        hint = f"Did you mean {near}?" if near else "List tokens with: notifybot token list"
        raise NotFound(f"There is no token {name!r}.", hint=hint)
    if token.revoked_at is None:
        token.revoked_at = now
        session.add(token)
    return token


def find(session: Session, secret: str) -> ApiToken | None:
    """Return the token with this secret, even if it is expired or revoked; see `is_valid`.

    Timing reveals nothing: the database compares hashes, whose prefix an attacker cannot choose.
    """
    return session.exec(select(ApiToken).where(ApiToken.digest == digest(secret))).first()


def is_valid(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def record_use(session: Session, token_id: str, *, now: datetime) -> None:
    token = session.get(ApiToken, token_id)
    if token is not None:
        token.last_used_at = now
        session.add(token)


def is_use_worth_recording(token: ApiToken, now: datetime) -> bool:
    return token.last_used_at is None or now - token.last_used_at >= USE_RECORDED_EVERY


def caller_with(token: ApiToken, *, allowed: frozenset[str] | None) -> Caller:
    """Return the caller. `allowed`: their recipients if the token sets none."""
    is_admin = is_admin_token(token.scopes)
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
    """Hash a secret. It has 256 random bits, so that a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
