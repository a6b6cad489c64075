"""Choices of options: the command line's own lists match the daemon's, which it does not import."""

from notifybot.auth.permissions import Scope
from notifybot.cli.arguments import PRIORITIES, SCOPES, STATES
from notifybot.cli.parser import parse
from notifybot.model.enums import Priority
from notifybot.model.states import State


def test_priorities_states_and_scopes_match_the_daemon() -> None:
    assert tuple(Priority) == PRIORITIES
    assert tuple(State) == STATES
    assert tuple(Scope) == SCOPES


def test_a_topic_of_a_group_is_a_recipient_although_it_begins_with_a_minus() -> None:
    parsed = parse(["send", "--to", "-1001234567890:42", "--to", "-1001", "disk full"])
    assert parsed.to == ["-1001234567890:42", "-1001"]
