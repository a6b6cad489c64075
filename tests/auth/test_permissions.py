"""The permission table: every caller, action and owner."""

import itertools

import pytest

from notifybot.auth.permissions import PERMISSIONS, Action, Caller, check_owner, check_permission, visible_account
from notifybot.errors import Forbidden, NotFound, NotifybotError, Unauthenticated

OK, WHO, NO, HIDDEN = None, Unauthenticated, Forbidden, NotFound
CALLERS: dict[str, Caller | None] = {
    "stranger": None,
    "send": Caller("anna", is_admin=False, may_read=False, is_local=False),
    "read": Caller("anna", is_admin=False, may_send=False, is_local=False),
    "both": Caller("anna", is_admin=False),
    "bounded": Caller("anna", is_admin=False, allowed=frozenset({"-1001"})),
    "person": Caller("anna", is_admin=False, allowed=frozenset({"self"}), is_person=True),
    "open person": Caller("anna", is_admin=False, is_person=True),
    "admin": Caller("root", is_admin=True),
    "bounded admin": Caller("root", is_admin=True, allowed=frozenset({"-1001"})),
}
ADMITTED: dict[Action, tuple[type[NotifybotError] | None, ...]] = {
    # stranger, send, read, both, bounded, person, open person, admin, bounded admin
    Action.LOOK: (OK, OK, OK, OK, OK, OK, OK, OK, OK),
    Action.SEE_HEALTH: (WHO, OK, OK, OK, OK, NO, OK, OK, OK),
    Action.SEND: (WHO, OK, NO, OK, OK, OK, OK, OK, OK),
    Action.READ: (WHO, NO, OK, OK, OK, OK, OK, OK, OK),
    Action.ANSWER: (WHO, OK, NO, OK, OK, OK, OK, OK, OK),
    Action.SUBSCRIBE: (WHO, OK, NO, OK, NO, NO, OK, OK, OK),
    Action.SEE_PEOPLE: (WHO, NO, OK, OK, OK, NO, OK, OK, OK),
    Action.SEE_ACCOUNT: (WHO, NO, OK, OK, OK, OK, OK, OK, OK),
    Action.CHANGE_ACCOUNT: (WHO, NO, NO, OK, OK, OK, OK, OK, OK),
    Action.CHANGE_ROTATION: (WHO, NO, NO, OK, OK, OK, OK, OK, OK),
    Action.ADMINISTER: (WHO, NO, NO, NO, NO, NO, NO, OK, OK),
}
ANOTHERS: dict[Action, type[NotifybotError] | None] = {
    Action.LOOK: OK,
    Action.SEE_HEALTH: OK,
    Action.SEND: OK,
    Action.READ: HIDDEN,
    Action.ANSWER: HIDDEN,
    Action.SUBSCRIBE: OK,
    Action.SEE_PEOPLE: OK,
    Action.SEE_ACCOUNT: NO,
    Action.CHANGE_ACCOUNT: NO,
    Action.CHANGE_ROTATION: OK,
    Action.ADMINISTER: OK,
}


def test_the_table_says_something_of_every_action() -> None:
    assert PERMISSIONS.keys() == ADMITTED.keys() == ANOTHERS.keys() == set(Action)


@pytest.mark.parametrize(("action", "kind"), list(itertools.product(Action, CALLERS)))
def test_permissions_match_the_table(action: Action, kind: str) -> None:
    expected = ADMITTED[action][list(CALLERS).index(kind)]
    assert said(lambda: check_permission(CALLERS[kind], action)) is expected


@pytest.mark.parametrize(("action", "kind"), list(itertools.product(Action, list(CALLERS)[1:])))
def test_callers_reach_their_own_objects_and_only_admins_reach_others(action: Action, kind: str) -> None:
    caller = CALLERS[kind]
    assert caller is not None
    assert said(lambda: check_owner(caller, action, caller.account)) is OK
    assert said(lambda: check_owner(caller, action, "bob")) is (OK if caller.is_admin else ANOTHERS[action])


@pytest.mark.parametrize("kind", list(CALLERS)[1:])
def test_lists_are_confined_to_the_caller_but_for_admins(kind: str) -> None:
    caller = CALLERS[kind]
    assert caller is not None
    assert visible_account(caller) == (None if caller.is_admin else "anna")


def said(decide: object) -> type[NotifybotError] | None:
    """Return the class of the refusal, or None."""
    assert callable(decide)
    try:
        decide()
    except NotifybotError as error:
        return type(error)
    return None
