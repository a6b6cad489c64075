"""To whom a caller may send: the names of a config, and whatever they stand for."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from notifybot import directory
from notifybot.chats import Reached
from notifybot.config import load
from notifybot.errors import Forbidden
from notifybot.people import Reader
from notifybot.recipients import Recipient, person, recipient_of
from notifybot.routing import Found, check_allowed

CONFIG = """
accounts: {alice@example.org: alice, carol: carol}
recipients: {ops: ["-1001"], backend: [alice, bob, ops], same: [bob, alice], wide: [backend, "-1002"], late: [carol]}
"""
ALICE_ID, BOB_ID = "01890a5d-ac96-474b-bcce-b302099a8057", "01890a5d-ac96-474b-bcce-b302099a8058"


@dataclass(frozen=True)
class Wish:
    recipients: tuple[Recipient, ...]
    allowed: frozenset[str] | None
    account: str = "dora"
    is_alert: bool = False


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Alice and Bob have chats, Carol has none; the group -1000 became -1001."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(CONFIG)
    alice = Reader(ALICE_ID, "alice", "7", "Alice", True, None, None, None, None)
    bob = Reader(BOB_ID, "bob", "8", "Bob", True, None, None, None, None)
    return Found(
        directory.directory_of(load(path, {})),
        datetime(2026, 3, 2, tzinfo=UTC),
        by_name={reader_name: each for each in (alice, bob) for reader_name in (each.user_id, each.account or "")},
        by_chat={},
        everybody=[alice, bob],
        chats={chat: Reached(chat, None) for chat in ("7", "8", "-1001", "-1002", "@status")}
        | {"-1000": Reached("-1001", None)},
    )


def may_send(found: Found, allowed: frozenset[str] | None, *recipients: Recipient) -> bool:
    try:
        check_allowed(Wish(recipients, allowed), found)
    except Forbidden:
        return False
    return True


ALL = ["alice", "alice@example.org", ALICE_ID, "7", "bob", BOB_ID, "8", "ops", "backend", "same", "wide", "-1000",
       "-1001", "-1002", "@status", "subscribers", "carol", "late", "nobody"]  # fmt: skip
ALICES = {"alice", "alice@example.org", ALICE_ID, "7"}
BOBS = {"bob", BOB_ID, "8"}
OPS = {"ops", "-1000", "-1001"}


@pytest.mark.parametrize(
    ("allowed", "reached"),
    [
        (set(), set()),
        ({"alice"}, ALICES),
        ({"alice@example.org"}, ALICES),
        ({ALICE_ID.upper()}, ALICES),
        ({"7"}, ALICES),
        ({"-1000"}, OPS),
        ({"ops"}, OPS),
        ({"backend"}, ALICES | BOBS | OPS | {"backend", "same"}),
        ({"same"}, ALICES | BOBS | {"same"}),
        ({"alice", "8"}, ALICES | BOBS | {"same"}),
        ({"wide"}, ALICES | BOBS | OPS | {"backend", "same", "wide", "-1002"}),
        ({"@status"}, {"@status"}),
        ({"late"}, {"late", "carol"}),
        ({"carol"}, {"late", "carol"}),
        ({"nobody"}, {"nobody"}),
        ({"subscribers"}, (ALICES | BOBS | {"same", "subscribers"}) - {"7", "8"}),
    ],
    ids=str,
)
def test_a_caller_reaches_what_is_allowed_by_all_its_names_and_nothing_else(
    found: Found, allowed: set[str], reached: set[str]
) -> None:
    assert {text for text in ALL if may_send(found, frozenset(allowed), recipient_of(text))} == reached


def test_who_is_free_reaches_everybody(found: Found) -> None:
    assert all(may_send(found, None, recipient_of(text)) for text in ALL)


def test_one_recipient_that_is_not_allowed_is_one_too_many(found: Found) -> None:
    allowed = frozenset({"alice"})
    assert not may_send(found, allowed, person("alice"), person("bob"))
    assert not may_send(found, allowed, person("bob"), person("alice"))


def test_a_name_that_is_allowed_does_not_allow_a_person_who_is_called_the_same(found: Found) -> None:
    assert may_send(found, frozenset({"ops"}), recipient_of("ops"))
    assert not may_send(found, frozenset({"ops"}), person("ops"))
