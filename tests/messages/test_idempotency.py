"""When a client_id names the same request again."""

from datetime import UTC, datetime

import pytest

from notifybot.errors import Conflict
from notifybot.messages.idempotency import answer_again
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.states import State

FIRST = Acceptance("1", State.INITIATED, False, datetime(2026, 3, 1, tzinfo=UTC), None, None)


def again(fingerprint: str) -> NewMessage:
    return NewMessage("root", "cron", (), "full", None, False, None, None, client_id="a", fingerprint=fingerprint)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("f:1", "f:1", True),
        ("f:1", "f:2", False),
        ("f:1", "g:1", False),
        ("f:", "f:2", True),  # the file could not be stored, and can be now
        ("f:1", "f:", True),
        ("f:", "f:", True),
        ("f:", "g:", False),
        ("f:", "g:1", False),
    ],
)
def test_a_file_that_could_not_be_stored_makes_no_other_request(first: str, second: str, is_same: bool) -> None:
    answer = answer_again(again(second), first, FIRST)
    assert (answer == FIRST._replace(is_duplicate=True)) if is_same else isinstance(answer, Conflict)
