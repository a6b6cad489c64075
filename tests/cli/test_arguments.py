"""Choices of options: the command line's own lists match the daemon's, which it does not import."""

import pytest

from notifybot.auth.permissions import Scope
from notifybot.cli.arguments import PRIORITIES, SCOPES, STATES
from notifybot.cli.parser import parse
from notifybot.model.enums import Priority
from notifybot.model.states import State


def test_priorities_states_and_scopes_match_the_daemon() -> None:
    assert tuple(Priority) == PRIORITIES
    assert tuple(State) == STATES
    assert tuple(Scope) == SCOPES


@pytest.mark.parametrize(
    "chat", ["-100123:45", "-100123", "-1.0e12", "-100123.0", "-100123/45", "-100123_45", "alice", "@ops:4"]
)
@pytest.mark.parametrize("form", ["--to {}", "--to={}"])
def test_any_chat_follows_to_with_a_space_or_an_equals_sign(form: str, chat: str) -> None:
    assert parse(["send", *form.format(chat).split(), "disk full"]).to == [chat]


def test_a_topic_of_a_group_is_a_recipient_although_it_begins_with_a_minus() -> None:
    parsed = parse(["send", "--to", "-1001234567890:42", "--to", "-1001", "disk full"])
    assert parsed.to == ["-1001234567890:42", "-1001"]
