"""Query plans on PostgreSQL: frequent queries use the partial indexes, however long the history.

The verbs are those of tests/storage/test_query_plans.py; the plans are those that the server really ran.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from psycopg.errors import Diagnostic, UndefinedFile
from sqlalchemy import text
from sqlmodel import Session

from notifybot.alerts import escalate, expire, remind
from notifybot.messages import accept as messages_accept
from notifybot.messages import queries
from notifybot.posts import bot
from notifybot.schedules import release
from notifybot.storage.database import Database
from notifybot.telegram_api import update_store
from tests.storage.test_query_plans import GROWING, accept, claim_one, fill, late, next_call, record_shown, reschedule
from tests.support.databases import PostgresStore

HISTORY = 20_000
"""Number of messages that are over, each with a chat, post, delivery and timeline line."""
PAST = f"""
    INSERT INTO chats (id, is_new, last_caller) SELECT '-200' || n, false, 'a' FROM generate_series(1, {HISTORY}) n;
    INSERT INTO turns (chat_id, urgency, caller, is_new, next_at, since)
        SELECT '-200' || n, 3, 'a', false, now() + interval '9 years', now() FROM generate_series(1, {HISTORY}) n;
    INSERT INTO messages (id, state, is_alert, content, recipients, source, account, created_at, may_expire,
                          file_count, repeats, steps_left, is_snoozed_by_clock)
        SELECT 'm' || n, 'closed', true, 'disk full', '[]', 's', 'a', now(), true, 0, 0, 1, false
          FROM generate_series(1, {HISTORY}) n;
    INSERT INTO messages (id, state, is_alert, content, recipients, source, account, created_at, may_expire,
                          file_count, repeats, steps_left, is_snoozed_by_clock, send_at, release_at)
        SELECT 's' || n, 'scheduled', false, 'report', '[]', 's', 'a', now(), false, 0, 0, 1, false,
               now() + interval '9 years', now() + interval '9 years'
          FROM generate_series(1, {HISTORY}) n;
    INSERT INTO posts (id, chat_id, urgency, caller, version, shown_version, not_before, errors, tried_for_s, is_silent,
                       is_reminder, parts_shown, as_text, files_follow, reposted_version, shown, uncertain)
        SELECT 'p' || n, '-200' || n, 4, 'a', 2, 2, now(), 0, 0, false, false, 1, 0, false, 0, '[["", 1]]', 0
          FROM generate_series(1, {HISTORY}) n;
    INSERT INTO deliveries (message_id, post_id, chat_id, recipient, purpose, status, attempts)
        SELECT 'm' || n, 'p' || n, '-2001', 'x', 'primary', 'shown', 1 FROM generate_series(1, {HISTORY}) n;
    INSERT INTO timeline (message_id, at, event, actor)
        SELECT 'm' || n, now(), 'sent', 'notifybot' FROM generate_series(1, {HISTORY}) n;
    INSERT INTO client_ids (account, client_id, message_id, fingerprint, expires_at)
        SELECT 'a', 'c' || n, 'm' || n, 'f', now() FROM generate_series(1, {HISTORY}) n;
    INSERT INTO inbox (update_id, payload, received_at, handled_at, attempts)
        SELECT -n, '{{}}', now(), now(), 1 FROM generate_series(1, {HISTORY}) n;
"""
WHOLE_TABLE = re.compile(rf"Seq Scan on ({'|'.join(GROWING)})\b")


@pytest.fixture
async def database(store: PostgresStore) -> AsyncIterator[Database]:
    with store.server.connected(store.name) as connection:
        try:
            connection.execute("LOAD 'auto_explain'")
        except UndefinedFile:
            pytest.skip("this server comes without auto_explain")
    for statement in filter(None, map(str.strip, PAST.split(";"))):
        store.rows(statement)
    opened = Database(store.url)
    opened.start()
    await opened.write(fill)
    store.rows("VACUUM ANALYZE")
    yield opened
    await opened.close()


@contextmanager
def explaining(session: Session) -> Iterator[list[str]]:
    """Record the plan of every statement that the server runs in the block."""
    driver: Any = session.connection().connection.dbapi_connection
    plans: list[str] = []

    def note(notice: Diagnostic) -> None:
        plans.append(notice.message_primary or "")

    for setting in ("LOAD 'auto_explain'", "SET auto_explain.log_level = notice"):
        session.execute(text(setting))
    driver.add_notice_handler(note)
    session.execute(text("SET auto_explain.log_min_duration = 0"))
    try:
        yield plans
    finally:
        session.execute(text("SET auto_explain.log_min_duration = -1"))
        driver.remove_notice_handler(note)


@pytest.mark.parametrize(
    ("verb", "index"),
    [
        (claim_one, "turns_next"),
        (claim_one, "posts_due"),
        (next_call, "turns_by_time"),
        (reschedule, "posts_due"),
        (record_shown, "posts_due"),
        (accept, "client_ids_pkey"),
        (escalate.next_escalation, "messages_escalate"),
        (expire.next_expiry, "messages_close"),
        (
            late(escalate.escalate_due, directory=messages_accept.NO_CONFIG, channel="-1009", limit=5),
            "messages_escalate",
        ),
        (late(expire.expire_due, limit=5), "messages_close"),
        (late(remind.remind_due, directory=messages_accept.NO_CONFIG, limit=5), "messages_remind"),
        (remind.REMINDERS.next_at, "messages_remind"),
        (late(release.release_due, directory=messages_accept.NO_CONFIG, limit=5), "messages_release"),
        (release.RELEASES.next_at, "messages_release"),
        (queries.backlog, "deliveries_waiting"),
        (queries.backlog, "posts_uncertain"),
        (update_store.waiting, "inbox_waiting"),
        (late(bot.begin_term), "chats_claimed"),
    ],
)
async def test_a_frequent_query_uses_its_index(
    database: Database, verb: Callable[[Session], object], index: str
) -> None:
    def explain(session: Session) -> list[str]:
        with explaining(session) as plans:
            verb(session)
        return plans

    plans = await database.write(explain)
    assert "\n".join(plan for plan in plans if WHOLE_TABLE.search(plan)) == ""
    assert any(re.search(rf"\b{index}\b", plan) for plan in plans), plans


async def test_a_page_of_messages_is_read_in_the_order_of_its_index(database: Database) -> None:
    wanted = partial(queries.page, wanted=queries.MessageFilter(), limit=51)

    def explain(session: Session) -> list[str]:
        with explaining(session) as plans:
            wanted(session)
        return plans

    assert any("Index Scan Backward using messages_pkey" in plan for plan in await database.write(explain))
