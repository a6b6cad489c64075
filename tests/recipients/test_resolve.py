"""Resolution of recipients: each chat once, within what the caller may send to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from notifybot.config import load
from notifybot.errors import Forbidden
from notifybot.people.people import Reader
from notifybot.posts.chats import Reached
from notifybot.recipients import from_config
from notifybot.recipients.address import Recipient, person_recipient, recipient_of
from notifybot.recipients.allowed import check_allowed
from notifybot.recipients.lookup import Lookup
from notifybot.recipients.resolve import resolve_request

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
    is_awaited: bool = False


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Lookup:
    """Alice and Bob have chats, Carol has none; the group -1000 became -1001."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(CONFIG)
    alice = Reader(ALICE_ID, "alice", "7", "Alice", True, None, None, None, None)
    bob = Reader(BOB_ID, "bob", "8", "Bob", True, None, None, None, None)
    return Lookup(
        from_config.directory_of(load(path, {})),
        datetime(2026, 3, 2, tzinfo=UTC),
        by_name={reader_name: each for each in (alice, bob) for reader_name in (each.user_id, each.account or "")},
        by_chat={},
        everybody=[alice, bob],
        chats={chat: Reached(chat, None) for chat in ("7", "8", "-1001", "-1002", "@status")}
        | {"-1000": Reached("-1001", None)},
    )


def may_send(found: Lookup, allowed: frozenset[str] | None, *recipients: Recipient) -> bool:
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
    ids=lambda names: ",".join(sorted(names)),
)
def test_a_caller_reaches_allowed_recipients_by_any_alias_and_nobody_else(
    found: Lookup, allowed: set[str], reached: set[str]
) -> None:
    assert {text for text in ALL if may_send(found, frozenset(allowed), recipient_of(text))} == reached


def test_an_unrestricted_caller_reaches_everyone(found: Lookup) -> None:
    assert all(may_send(found, None, recipient_of(text)) for text in ALL)


def test_one_recipient_that_is_not_allowed_refuses_the_message(found: Lookup) -> None:
    allowed = frozenset({"alice"})
    assert not may_send(found, allowed, person_recipient("alice"), person_recipient("bob"))
    assert not may_send(found, allowed, person_recipient("bob"), person_recipient("alice"))


def test_an_allowed_name_does_not_allow_a_person_with_the_same_name(found: Lookup) -> None:
    assert may_send(found, frozenset({"ops"}), recipient_of("ops"))
    assert not may_send(found, frozenset({"ops"}), person_recipient("ops"))


def test_allowing_subscribers_does_not_allow_a_chat_whose_id_is_an_account(found: Lookup) -> None:
    here = replace(found, by_name={**found.by_name, "-1002": found.by_name["alice"]})
    assert may_send(here, frozenset({"subscribers"}), person_recipient("-1002"))
    assert not may_send(here, frozenset({"subscribers"}), recipient_of("-1002"))


REACHED = {
    "alice": ["7"], "alice@example.org": ["7"], ALICE_ID: ["7"], "7": ["7"], "bob": ["8"], "8": ["8"], "ops": ["-1001"],
    "backend": ["7", "8", "-1001"], "same": ["8", "7"], "wide": ["7", "8", "-1001", "-1002"], "-1000": ["-1001"],
    "-1001": ["-1001"], "-1002": ["-1002"], "@status": ["@status"], "subscribers": ["7", "8"],
}  # fmt: skip


@given(st.lists(st.sampled_from(list(REACHED)), min_size=1, max_size=8), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_chat_is_reached_once_under_the_first_matching_recipient(
    found: Lookup, names: list[str], is_alert: bool
) -> None:
    wish = Wish(tuple(map(recipient_of, names)), None, is_alert=is_alert)
    with Session() as session:
        way = resolve_request(session, wish, found)

    expected: dict[str, str] = {}
    for name in names:
        for chat_id in REACHED[name]:
            expected.setdefault(chat_id, name)
    assert {each.chat.id: each.name for each in way.destinations} == expected
    assert len(way.destinations) == len(expected)
    assert way.absent == ()


@given(st.lists(st.sampled_from(list(REACHED)), min_size=1, max_size=6, unique=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_notice_is_withheld_from_muted_people_however_they_are_addressed(found: Lookup, names: list[str]) -> None:
    muted = replace(found.everybody[0], muted_until=found.now.replace(year=2027))
    by_name = {name: muted if reader.chat_id == "7" else reader for name, reader in found.by_name.items()}
    here = replace(found, by_name=by_name, by_chat={"7": muted}, everybody=[muted, found.everybody[1]])
    recipients = tuple(map(recipient_of, names))
    with Session() as session:
        notice = resolve_request(session, Wish(recipients, None), here)
        alert = resolve_request(session, Wish(recipients, None, is_alert=True), here)

    assert {each.chat.id for each in notice.destinations if each.withheld} <= {"7"}
    assert all(each.withheld for each in notice.destinations if each.chat.id == "7")
    assert not any(each.withheld for each in alert.destinations)
    assert [each.chat for each in alert.destinations] == [each.chat for each in notice.destinations]
