"""Permissions for every action, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cached_property
from types import MappingProxyType

from notifybot.auth.admins import ADMIN_SCOPE, ADMINS
from notifybot.errors import Forbidden, NotFound, NotifybotError, Unauthenticated

SCOPES_HINT = "Create a token that may, with: notifybot token create NAME --scope send,read"
PERSON_HINT = 'Use an API token for this, or allow it to everyone who signs in: http.allow: ["*"].'


class Scope(StrEnum):
    """Scope of a token; `admin` includes the others."""

    SEND = "send"
    READ = "read"
    ADMIN = ADMIN_SCOPE


@dataclass(frozen=True)
class Caller:
    """The sender of a request.

    `account`: a local user name, `uid:1234` if the uid has none, or the account of a token or JWT. `allowed`: the
    recipients that they may notify, from the config or the token; None: any. `is_local`: on the unix socket.
    `is_person`: signed in to a dashboard (JWT), so nothing of others concerns them unless `http.allow` says so.
    """

    account: str
    is_admin: bool
    may_send: bool = True
    may_read: bool = True
    allowed: frozenset[str] | None = None
    is_local: bool = True
    is_person: bool = False

    @cached_property
    def scopes(self) -> frozenset[Scope]:
        if self.is_admin:
            return frozenset(Scope)
        held = {Scope.SEND: self.may_send, Scope.READ: self.may_read}
        return frozenset(scope for scope, is_held in held.items() if is_held)


class Action(StrEnum):
    """Kind of operation, as far as permissions differ."""

    LOOK = "look"
    """See the index and the status."""
    SEE_HEALTH = "see health"
    """See what /health knows besides the status."""
    SEND = "send"
    READ = "read"
    """See messages and files."""
    ANSWER = "answer"
    """Change a message: acknowledge, snooze, close, cancel, retry, edit."""
    SUBSCRIBE = "subscribe"
    """Subscribe a chat."""
    SEE_PEOPLE = "see people"
    SEE_ACCOUNT = "see account"
    """See the link of an account."""
    CHANGE_ACCOUNT = "change account"
    """Link, unlink, change preferences."""
    CHANGE_ROTATION = "change rotation"
    """Create and cancel overrides; oncall.changes.Editor decides for which rotations."""
    ADMINISTER = "administer"


class OwnershipRule(Enum):
    """Access to another account's objects without admin."""

    ALLOWED = auto()
    """The object has no owner."""
    HIDDEN = auto()
    """404."""
    REFUSED = auto()
    """403."""


@dataclass(frozen=True)
class Permission:
    """Scopes that an action needs, and the rule for objects of others."""

    needs: frozenset[Scope]
    ownership: OwnershipRule = OwnershipRule.ALLOWED
    allows_anonymous: bool = False
    needs_any_recipient: bool = False
    """Refused to callers who may only notify some recipients."""
    is_about_others: bool = False
    """Refused to people with a JWT, unless they may notify any recipient."""


PERMISSIONS: Mapping[Action, Permission] = MappingProxyType(
    {
        Action.LOOK: Permission(frozenset(), allows_anonymous=True),
        Action.SEE_HEALTH: Permission(frozenset(), is_about_others=True),
        # recipients.allowed checks the recipients.
        Action.SEND: Permission(frozenset({Scope.SEND})),
        Action.READ: Permission(frozenset({Scope.READ}), OwnershipRule.HIDDEN),
        Action.ANSWER: Permission(frozenset({Scope.SEND}), OwnershipRule.HIDDEN),
        Action.SUBSCRIBE: Permission(frozenset({Scope.SEND}), needs_any_recipient=True),
        Action.SEE_PEOPLE: Permission(frozenset({Scope.READ}), is_about_others=True),
        Action.SEE_ACCOUNT: Permission(frozenset({Scope.READ}), OwnershipRule.REFUSED),
        # Linking an account gives access to the messages sent to it.
        Action.CHANGE_ACCOUNT: Permission(frozenset({Scope.SEND, Scope.READ}), OwnershipRule.REFUSED),
        # An override gives access to the messages sent to the rotation.
        Action.CHANGE_ROTATION: Permission(frozenset({Scope.SEND, Scope.READ})),
        Action.ADMINISTER: Permission(frozenset({Scope.ADMIN})),
    }
)


def check_permission(caller: Caller | None, action: Action) -> None:
    """Raise Unauthenticated or Forbidden unless a caller may do this. None is an anonymous caller."""
    if (refusal := _refusal(caller, PERMISSIONS[action])) is not None:
        raise refusal


def may(caller: Caller | None, action: Action) -> bool:
    return _refusal(caller, PERMISSIONS[action]) is None


def _refusal(caller: Caller | None, rule: Permission) -> NotifybotError | None:
    if caller is None:
        hint = "Send an API token: `Authorization: Bearer nb_…`."
        return None if rule.allows_anonymous else Unauthenticated("Authentication is required.", hint=hint)
    missing = rule.needs - caller.scopes
    if missing:
        return Forbidden(f"This needs {_words(missing)}, which {caller.account} does not have.", hint=_hint(missing))
    is_bounded = caller.allowed is not None and not caller.is_admin
    if rule.is_about_others and caller.is_person and is_bounded:
        what = f"{caller.account} has signed in as a person, and this is about others."
        return Forbidden(what, hint=PERSON_HINT)
    if rule.needs_any_recipient and is_bounded:
        hint = PERSON_HINT if caller.is_person else "Ask an admin to do it."
        return Forbidden(f"{caller.account} may only notify some recipients, and cannot add others.", hint=hint)
    return None


def check_owner(caller: Caller, action: Action, owner: str) -> None:
    """Raise NotFound or Forbidden, as the action's OwnershipRule says, if another account owns the object."""
    if caller.is_admin or caller.account == owner:
        return
    match PERMISSIONS[action].ownership:
        case OwnershipRule.HIDDEN:
            raise NotFound("You have no message with this id.", hint="Admins see all messages.")
        case OwnershipRule.REFUSED:
            raise Forbidden(f"{caller.account} is not allowed to act for {owner}.", hint=f"Admins can: {ADMINS}.")
        case OwnershipRule.ALLOWED:
            return


def visible_account(caller: Caller) -> str | None:
    """Return the account to which lists are limited; None for admins, who see all."""
    return None if caller.is_admin else caller.account


def _words(scopes: frozenset[Scope]) -> str:
    return " and ".join(f"the scope {scope}" for scope in Scope if scope in scopes)


def _hint(missing: frozenset[Scope]) -> str:
    if Scope.ADMIN in missing:
        return f"Admins are {ADMINS}."
    return SCOPES_HINT
