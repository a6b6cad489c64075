"""The choices of options: the client has its own lists, and they equal the daemon's."""

from notifybot.auth.permissions import Scope
from notifybot.cli.arguments import PRIORITIES, SCOPES, STATES
from notifybot.model.enums import Priority
from notifybot.model.states import State


def test_priorities_states_and_scopes_are_the_daemons() -> None:
    assert tuple(Priority) == PRIORITIES
    assert tuple(State) == STATES
    assert tuple(Scope) == SCOPES
