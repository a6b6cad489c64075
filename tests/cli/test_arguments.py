"""Choices of options: the command line's own lists match the daemon's, which it does not import."""

from notifybot.auth.permissions import Scope
from notifybot.cli.arguments import PRIORITIES, SCOPES, STATES
from notifybot.model.enums import Priority
from notifybot.model.states import State


def test_priorities_states_and_scopes_match_the_daemon() -> None:
    assert tuple(Priority) == PRIORITIES
    assert tuple(State) == STATES
    assert tuple(Scope) == SCOPES
