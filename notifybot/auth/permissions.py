"""Permissions of every caller, on every route and object, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cached_property
from types import MappingProxyType

from notifybot.auth.admins import ADMIN_SCOPE, ADMINS
from notifybot.errors import Forbidden, NotFound, Unauthenticated

SCOPES_HINT = "`notifybot token create NAME --scope send,read` makes a token that may."


class Scope(StrEnum):
    """What a token lets its bearer do. `admin` holds the others."""

    SEND = "send"
    READ = "read"
    ADMIN = ADMIN_SCOPE


@dataclass(frozen=True)
class Caller:
    """Whoever a request comes from.

    `account`: a local user's name, `uid:1234` where there is none, or what a token or JWT stands for. `allowed`: to
    whom they may send, as the config or the token names them; None: to anybody. `is_local`: on the unix socket.
    """

    account: str
    is_admin: bool
    may_send: bool = True
    may_read: bool = True
    allowed: frozenset[str] | None = None
    is_local: bool = True

    @cached_property
    def scopes(self) -> frozenset[Scope]:
        if self.is_admin:
            return frozenset(Scope)
        held = {Scope.SEND: self.may_send, Scope.READ: self.may_read}
        return frozenset(scope for scope, is_held in held.items() if is_held)


class Action(StrEnum):
    """What a route does, as far as it matters who asks for it."""

    LOOK = "look"
    """See what this is and whether it works."""
    SEND = "send"
    READ = "read"
    """See messages and their files."""
    ANSWER = "answer"
    """Change a message: acknowledge, snooze, close, cancel, retry, edit."""
    SUBSCRIBE = "subscribe"
    """Make a chat known."""
    SEE_PEOPLE = "see people"
    SEE_ACCOUNT = "see account"
    """See how an account is linked."""
    CHANGE_ACCOUNT = "change account"
    """Link it, unlink it, change what its person prefers."""
    CHANGE_ROTATION = "change rotation"
    """Say who stands in on call: for whom that is, on_call.Hand says."""
    SEE_WORK = "see work"
    """See jobs, figures and schedules of the daemon itself."""
    ADMINISTER = "administer"


class OwnershipRule(Enum):
    """What those who are no admins get of another's."""

    ALLOWED = auto()
    """There is no owner to it."""
    HIDDEN = auto()
    """As if it did not exist."""
    REFUSED = auto()


@dataclass(frozen=True)
class Permission:
    """All of `needs`; `anothers` says what holds for an object that is not the caller's own."""

    needs: frozenset[Scope]
    anothers: OwnershipRule = OwnershipRule.ALLOWED
    is_for_strangers: bool = False
    """Also for those who do not say who they are."""
    is_unbounded: bool = False
    """Not for those who may send to some recipients only."""


PERMISSIONS: Mapping[Action, Permission] = MappingProxyType(
    {
        Action.LOOK: Permission(frozenset(), is_for_strangers=True),
        # To whom: routing.check_allowed, which knows what a name stands for.
        Action.SEND: Permission(frozenset({Scope.SEND})),
        Action.READ: Permission(frozenset({Scope.READ}), OwnershipRule.HIDDEN),
        Action.ANSWER: Permission(frozenset({Scope.SEND}), OwnershipRule.HIDDEN),
        Action.SUBSCRIBE: Permission(frozenset({Scope.SEND}), is_unbounded=True),
        Action.SEE_PEOPLE: Permission(frozenset({Scope.READ})),
        Action.SEE_ACCOUNT: Permission(frozenset({Scope.READ}), OwnershipRule.REFUSED),
        # Who links an account to a chat reads from then on what is sent to it.
        Action.CHANGE_ACCOUNT: Permission(frozenset({Scope.SEND, Scope.READ}), OwnershipRule.REFUSED),
        # Who stands in reads from then on what is sent to the rotation.
        Action.CHANGE_ROTATION: Permission(frozenset({Scope.SEND, Scope.READ})),
        Action.SEE_WORK: Permission(frozenset({Scope.READ})),
        Action.ADMINISTER: Permission(frozenset({Scope.ADMIN})),
    }
)


def check_permission(caller: Caller | None, action: Action) -> None:
    """Let a caller through to what does `action`; None is somebody who does not say who they are.

    Raises Unauthenticated or Forbidden.
    """
    rule = PERMISSIONS[action]
    if caller is None:
        if rule.is_for_strangers:
            return
        raise Unauthenticated("Say who you are.", hint="Send an API token: `Authorization: Bearer nb_…`.")
    missing = rule.needs - caller.scopes
    if missing:
        raise Forbidden(f"This needs {_words(missing)}, which {caller.account} does not have.", hint=_hint(missing))
    if rule.is_unbounded and caller.allowed is not None and not caller.is_admin:
        raise Forbidden(
            f"{caller.account} may send to some recipients only, and cannot add others.",
            hint="An admin does that for you.",
        )


def check_owner(caller: Caller, action: Action, owner: str) -> None:
    """Let a caller who was admitted reach an object of the account `owner`.

    Raises NotFound where others' objects are hidden, else Forbidden.
    """
    if caller.is_admin or caller.account == owner:
        return
    match PERMISSIONS[action].anothers:
        case OwnershipRule.HIDDEN:
            raise NotFound("There is no message of yours with this id.", hint="Admins see everybody's messages.")
        case OwnershipRule.REFUSED:
            raise Forbidden(f"{caller.account} may not act for {owner}.", hint=f"Admins may: {ADMINS}.")
        case OwnershipRule.ALLOWED:
            return


def visible_account(caller: Caller) -> str | None:
    """The account whose messages a list is confined to; None: everybody's."""
    return None if caller.is_admin else caller.account


def _words(scopes: frozenset[Scope]) -> str:
    return " and ".join(f"the scope {scope}" for scope in Scope if scope in scopes)


def _hint(missing: frozenset[Scope]) -> str:
    if Scope.ADMIN in missing:
        return f"Admins are {ADMINS}."
    return SCOPES_HINT
