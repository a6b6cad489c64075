"""Retention: exactly the old, finished messages are deleted, with everything that belongs to them."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot.health import job_history
from notifybot.jobs import retention
from notifybot.messages import accept as messages_accept
from notifybot.messages import forget as messages_forget
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.schedules import JobRun
from notifybot.model.states import State
from notifybot.posts import replies
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.parts import Part
from notifybot.storage.database import Database
from notifybot.telegram_api import update_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = NOW - 100 * DAY
BEFORE = NOW - 90 * DAY


def accept(session: Session, state: State, *, is_alert: bool, at: datetime, client_id: str | None = None) -> str:
    """Insert a message in this state, with two recipients."""
    recipients = (Recipient(RecipientKind.CHAT, "-1001"), Recipient(RecipientKind.CHAT, "-1002"))
    new = NewMessage("alice", "backup", recipients, "x", None, is_alert, None, None, client_id, "f")
    (accepted,) = messages_accept.accept(session, [new], now=at)
    assert isinstance(accepted, Acceptance)
    session.execute(text("UPDATE messages SET state = :state WHERE id = :id"), {"state": state, "id": accepted.id})
    return accepted.id


def rows(session: Session, message_id: str) -> dict[str, int]:
    """Count the rows of a message in each table."""
    asked = {
        "messages": "SELECT count(*) FROM messages WHERE id = :id",
        "deliveries": "SELECT count(*) FROM deliveries WHERE message_id = :id",
        "posts": "SELECT count(*) FROM posts WHERE id IN (SELECT post_id FROM deliveries WHERE message_id = :id)",
        "timeline": "SELECT count(*) FROM timeline WHERE message_id = :id",
        "client_ids": "SELECT count(*) FROM client_ids WHERE message_id = :id",
    }
    return {name: session.execute(text(sql), {"id": message_id}).scalar_one() for name, sql in asked.items()}


ALL_OF_IT = {"messages": 1, "deliveries": 2, "posts": 2, "timeline": 1, "client_ids": 1}
NOTHING_OF_IT = dict.fromkeys(ALL_OF_IT, 0)


def forget(session: Session, *, limit: int = 100) -> int:
    return messages_forget.forget_messages(session, before=BEFORE, limit=limit)


async def test_forgetting_a_message_deletes_its_own_rows_only(database: Database) -> None:
    def check(session: Session) -> None:
        old = accept(session, State.CLOSED, is_alert=True, at=OLD, client_id="old")
        young = accept(session, State.CLOSED, is_alert=True, at=NOW, client_id="young")
        assert (rows(session, old), rows(session, young)) == (ALL_OF_IT, ALL_OF_IT)
        assert forget(session) == 1
        assert (rows(session, old), rows(session, young)) == (NOTHING_OF_IT, ALL_OF_IT)
        for table, left in (("posts", 2), ("deliveries", 2), ("timeline", 1), ("chats", 2)):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == left

    await database.write(check)


ALERTS_THAT_GO = {"closed", "cancelled"}
NOTICES_THAT_GO = {"closed", "cancelled", "sent", "failed"}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("is_alert", [True, False], ids=["alert", "notice"])
async def test_only_messages_that_are_over_are_deleted(database: Database, state: State, is_alert: bool) -> None:
    goes = state in (ALERTS_THAT_GO if is_alert else NOTICES_THAT_GO)
    await database.write(lambda session: accept(session, state, is_alert=is_alert, at=OLD) and None)
    assert await database.write(forget) == int(goes)


@pytest.mark.parametrize(
    ("age", "goes"), [(timedelta(0), False), (timedelta(milliseconds=1), True), (DAY, True), (-DAY, False)]
)
async def test_only_messages_older_than_the_limit_are_deleted(database: Database, age: timedelta, goes: bool) -> None:
    await database.write(lambda session: accept(session, State.CLOSED, is_alert=True, at=BEFORE - age) and None)
    assert await database.write(forget) == int(goes)


async def test_messages_are_deleted_in_small_batches_oldest_first(database: Database) -> None:
    def check(session: Session) -> list[int]:
        ids = [accept(session, State.CLOSED, is_alert=True, at=OLD + n * timedelta(hours=1)) for n in range(5)]
        done = [forget(session, limit=2)]
        assert [rows(session, each)["messages"] for each in ids] == [0, 0, 1, 1, 1]
        return done + [forget(session, limit=2) for _ in range(3)]

    assert await database.write(check) == [2, 2, 1, 0]


def count(session: Session, table: str) -> int:
    return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def tidy(session: Session) -> int:
    return retention.forget_bookkeeping(session, now=NOW)


@pytest.mark.parametrize(
    ("age", "change", "stays"),
    [
        (3 * DAY, "handled_at = received_at", False),
        (3 * DAY, "attempts = 3", False),
        (3 * DAY, "attempts = 2", True),
        (30 * DAY, "attempts = 0", True),
        (1 * DAY, "handled_at = received_at", True),
        (1 * DAY, "attempts = 3", True),
    ],
)
async def test_an_update_is_kept_while_it_waits_or_may_be_redelivered(
    database: Database, age: timedelta, change: str, stays: bool
) -> None:
    def check(session: Session) -> int:
        update_store.store(session, 7, "{}", now=NOW - age)
        session.execute(text(f"UPDATE inbox SET {change}"))
        tidy(session)
        return count(session, "inbox")

    assert await database.write(check) == int(stays)


@pytest.mark.parametrize(
    ("age", "change", "stays"),
    [
        (3 * DAY, "shown_version = 1", False),
        (3 * DAY, "failure = 'blocked'", False),
        (3 * DAY, "errors = 1", True),
        (1 * DAY, "shown_version = 1", True),
    ],
)
async def test_a_reply_is_kept_while_it_waits(database: Database, age: timedelta, change: str, stays: bool) -> None:
    def check(session: Session) -> int:
        replies.queue_reply(session, "5", Part("Hello."), now=NOW - age)
        session.execute(text(f"UPDATE posts SET {change}"))
        tidy(session)
        return count(session, "posts")

    assert await database.write(check) == int(stays)


async def test_posts_of_messages_are_not_deleted_as_replies(database: Database) -> None:
    def check(session: Session) -> dict[str, int]:
        kept = accept(session, State.CLOSED, is_alert=True, at=OLD)
        session.execute(text("UPDATE posts SET shown_version = version"))
        tidy(session)
        return rows(session, kept)

    assert (await database.write(check))["posts"] == 2


@pytest.mark.parametrize(("age", "stays"), [(6 * DAY, True), (8 * DAY, False)])
async def test_job_runs_are_kept_for_a_week(database: Database, age: timedelta, stays: bool) -> None:
    def check(session: Session) -> int:
        session.add(JobRun(job="close", started_at=NOW - age, duration_s=0.1))
        session.flush()
        tidy(session)
        return count(session, "job_runs")

    assert await database.write(check) == int(stays)


@pytest.mark.parametrize(("age", "stays"), [(6 * DAY, True), (8 * DAY, False)])
async def test_a_client_id_is_kept_for_a_week_and_its_message_longer(
    database: Database, age: timedelta, stays: bool
) -> None:
    def check(session: Session) -> Any:
        message_id = accept(session, State.CLOSED, is_alert=True, at=NOW - age, client_id="c")
        tidy(session)
        return rows(session, message_id)

    assert await database.write(check) == ALL_OF_IT | {"client_ids": int(stays)}


async def test_the_last_run_is_its_own(database: Database) -> None:
    def run(session: Session, job: str, at: datetime) -> None:
        session.add(JobRun(job=job, started_at=at, duration_s=0.1))

    assert await database.read(partial(job_history.last_run, job="retention")) is None
    await database.write(partial(run, job="retention", at=NOW - DAY))
    await database.write(partial(run, job="close", at=NOW))
    assert await database.read(partial(job_history.last_run, job="retention")) == NOW - DAY
