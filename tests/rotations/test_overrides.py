"""Overrides in the database: who may add them, their limit, retention and queries."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlmodel import Session, select

from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.jobs import retention
from notifybot.model.chats import Chat
from notifybot.model.people import Person
from notifybot.model.schedules import OnCallOverride
from notifybot.oncall import changes, status
from notifybot.oncall.changes import MAX_OVERRIDES, Editor, NewOverride
from notifybot.people import people
from notifybot.recipients import lookup
from notifybot.recipients.address import person_recipient
from notifybot.recipients.directory import Directory, flattened, rotating_names
from notifybot.rotations import overrides
from notifybot.rotations.rotation import Rotation
from notifybot.storage.database import Database
from tests.storage.test_query_plans import asking

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROTATIONS = {"duty": Rotation(("-1001", "alice"), NOW.date() - timedelta(days=7), "0 9 * * mon", "UTC")}
NAMES = {"duty": ("-1001", "alice"), "wide": ("duty", "-1002"), "ops": ("-1002",), "others": ("-1003", "@status", "8")}
DIRECTORY = Directory(
    flattened(NAMES, {}),
    rotations=ROTATIONS,
    nested={"wide": ("duty", "-1002"), "ops": ("-1002",), "others": ("-1003", "@status", "8")},
    rotating=rotating_names(NAMES, ROTATIONS),
)
ALICE = Editor("account:alice", "alice", frozenset({person_recipient("alice")}), is_admin=False)
BOB = Editor("account:bob", "bob", frozenset({person_recipient("bob")}), is_admin=False)
ROOT = Editor("account:root", "root", frozenset(), is_admin=True)


def put_in(session: Session, member: str = "-1003", *, editor: Editor = ALICE, hours: float = 1) -> OnCallOverride:
    wanted = NewOverride("duty", member, None, NOW + hours * HOUR)
    return changes.add_override(session, wanted, editor, DIRECTORY, now=NOW)


def standing(session: Session, now: datetime = NOW) -> list[str]:
    return [each.member for each in overrides.active_or_upcoming(session, now=now).get("duty", [])]


async def test_an_override_lasts_until_its_end(database: Database) -> None:
    await database.write(put_in)
    just_before = NOW + HOUR - timedelta(microseconds=1)
    assert await database.read(lambda session: standing(session, just_before)) == ["-1003"]
    assert await database.read(lambda session: standing(session, NOW + HOUR)) == []


@pytest.mark.parametrize(
    ("member", "editor", "hours", "refusal"),
    [
        ("-1003", BOB, 1, Forbidden),
        ("-1003", ALICE, 0, NotifybotError),
        ("-1003", ALICE, -1, NotifybotError),
        ("-1003", ALICE, 24 * 367, NotifybotError),
        ("wide", ALICE, 1, NotifybotError),
        ("duty", ALICE, 1, NotifybotError),
        ("subscribers", ROOT, 1, NotifybotError),
        ("nobody", ROOT, 1, NotifybotError),
        ("alice", ALICE, 1, Conflict),
        ("7777777", ALICE, 1, Conflict),
        ("8", ALICE, 1, Conflict),
        ("-9999", ALICE, 1, Conflict),
        ("@nowhere", ALICE, 1, Conflict),
    ],
)
async def test_an_impossible_override_is_refused_and_leaves_nothing(
    database: Database, member: str, editor: Editor, hours: float, refusal: type[NotifybotError]
) -> None:
    with pytest.raises(refusal):
        await database.write(lambda session: put_in(session, member, editor=editor, hours=hours))
    assert await database.read(standing) == []


async def test_a_restricted_editor_can_only_choose_allowed_members(database: Database) -> None:
    bounded = Editor("account:root", "root", frozenset(), is_admin=True, allowed=frozenset({"ops"}))
    await database.write(lambda session: put_in(session, "-1002", editor=bounded))
    with pytest.raises(Forbidden):
        await database.write(lambda session: put_in(session, "-1003", editor=bounded))


async def test_overrides_of_a_rotation_are_limited(database: Database) -> None:
    def fill(session: Session) -> None:
        for number in range(MAX_OVERRIDES):
            put_in(session, editor=replace(ALICE, name=f"account:{number}"))

    await database.write(fill)
    with pytest.raises(Conflict):
        await database.write(put_in)
    first = (await database.read(lambda session: session.exec(select(OnCallOverride.id)).all()))[0]
    await database.write(lambda session: changes.cancel_override(session, first, ROOT, DIRECTORY, now=NOW))
    await database.write(put_in)


async def test_a_chat_that_the_bot_has_seen_can_be_on_call(database: Database) -> None:
    def hear(session: Session) -> None:
        people.subscribe(session, "7", "Anna", now=NOW)
        session.add(Chat(id="-1005", kind="group"))
        session.add(Chat(id="-1006", moved_to="-100777"))
        session.add(Chat(id="-100777", kind="supergroup"))

    await database.write(hear)
    for member in ("7", "-1005", "-1006"):
        await database.write(lambda session, member=member: put_in(session, member))  # type: ignore[misc]
    assert set(await database.read(standing)) == {"7", "-1005", "-1006"}


async def test_only_earlier_overrides_by_the_same_editor_are_replaced(database: Database) -> None:
    def choose(session: Session) -> set[tuple[str, timedelta]]:
        put_in(session, hours=8)
        put_in(session, editor=ROOT, hours=4)
        put_in(session, "-1002", hours=3)
        changes.add_override(
            session, NewOverride("duty", "-1003", NOW + HOUR, NOW + 9 * HOUR), ALICE, DIRECTORY, now=NOW
        )
        put_in(session, hours=1)
        found = overrides.active_or_upcoming(session, now=NOW)["duty"]
        return {(each.member, each.ends_at - NOW) for each in found}

    expected = [("-1003", 4), ("-1002", 3), ("-1003", 1), ("-1003", 9)]
    assert await database.write(choose) == {(member, hours * HOUR) for member, hours in expected}


async def test_only_members_of_a_rotation_end_an_override(database: Database) -> None:
    made = await database.write(lambda session: put_in(session).id)
    with pytest.raises(Forbidden):
        await database.write(lambda session: changes.cancel_override(session, made, BOB, DIRECTORY, now=NOW))
    with pytest.raises(NotFound):
        await database.write(lambda session: changes.cancel_override(session, "x", ALICE, DIRECTORY, now=NOW))
    assert await database.read(standing) == ["-1003"]


async def test_overrides_are_deleted_a_month_after_their_end(database: Database) -> None:
    await database.write(put_in)
    for after, left in ((timedelta(days=31), 1), (timedelta(days=31, seconds=1), 0)):
        now = NOW + HOUR + after
        await database.write(partial(retention.forget_bookkeeping, now=now))
        found = await database.read(lambda session: session.exec(select(OnCallOverride.id)).all())
        assert len(found) == left


async def test_members_get_their_display_names(database: Database) -> None:
    def name(session: Session) -> dict[str, str]:
        put_in(session, "@status")
        return dict(status.names_of(session, ["alice", "@status", "-1001"]))

    assert await database.write(name) == {"alice": "alice", "@status": "@status", "-1001": "-1001"}


def test_an_account_that_is_also_a_name_in_the_config_is_replaced_by_the_user_id() -> None:
    def account_of(account: str | None) -> str:
        found = Person(user_id="01890a5d", account=account, chat_id="7", chat_name="Anna", created_at=NOW)
        return changes.editor_of_person(found, DIRECTORY, admins=()).account

    assert [account_of(account) for account in ("alice", "ops", None)] == ["alice", "01890a5d", "01890a5d"]


@pytest.mark.sqlite_only(reason="reads the plans of SQLite")
async def test_overrides_are_found_through_the_index_on_their_end(database: Database) -> None:
    def look(session: Session) -> list[str]:
        put_in(session)
        with asking(session) as asked:
            lookup.as_of(session, DIRECTORY, ["wide"], now=NOW)
            put_in(session, editor=ROOT)
            retention.forget_bookkeeping(session, now=NOW)
        return [step for steps in asked.plans.values() for step in steps if "on_call_overrides" in step]

    steps = await database.write(look)
    assert len(steps) >= 3
    assert all("USING INDEX ix_on_call_overrides_ends_at" in step for step in steps), steps


@pytest.mark.sqlite_only(reason="counts the statements of SQLite")
async def test_recipients_without_a_rotation_read_no_overrides(database: Database) -> None:
    def look(session: Session) -> int:
        with asking(session) as asked:
            assert lookup.as_of(session, DIRECTORY, ["ops", "-1001"], now=NOW) is DIRECTORY
        return len(asked.plans)

    assert await database.write(look) == 0
