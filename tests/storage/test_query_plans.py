"""Query plans on SQLite: no query of the daemon reads a whole table. Each statement is explained after it ran."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot.alerts import acknowledge, close, escalate, expire, policy_gaps, unacknowledge
from notifybot.alerts import remind as alerts_remind
from notifybot.alerts.policy import EscalationPlan, EscalationStep
from notifybot.config.model import Config
from notifybot.delivery import claims
from notifybot.delivery import record as delivery_record
from notifybot.delivery.attempt import Attempt, RetryPolicy
from notifybot.delivery.claims import Claim, Leader
from notifybot.delivery.rate_limits import RateLimit, RateLimits
from notifybot.health import job_history, unknown_zones
from notifybot.messages import accept as messages_accept
from notifybot.messages import forget, queries, retry
from notifybot.messages import queries as messages_queries
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.messages.queries import MessageFilter
from notifybot.model import actors
from notifybot.model.schedules import JobRun
from notifybot.model.states import State
from notifybot.people import people
from notifybot.posts import bot, chats, posts
from notifybot.posts.outcomes import HoldOff, Outcome, Shown, TryAgain
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.parts import Part, Send
from notifybot.rotations import overrides
from notifybot.schedules import cancel, changes
from notifybot.schedules import changes as schedules_changes
from notifybot.schedules import queries as schedules_queries
from notifybot.schedules import release as schedules_release
from notifybot.storage.database import Database
from notifybot.telegram_api import update_store

pytestmark = pytest.mark.sqlite_only(reason="reads the plans of SQLite; those of PostgreSQL have a test of their own")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NO_LIMIT = RateLimit(timedelta(microseconds=1), burst=1000)
LIMITS = RateLimits(NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT)
RETRY_POLICY = RetryPolicy(timedelta(days=1), jitter=0.5)
GROWING = [
    "on_call_overrides",
    "messages",
    "posts",
    "deliveries",
    "timeline",
    "client_ids",
    "inbox",
    "chats",
    "turns",
    "people",
    "job_runs",
    "schedules",
]
WHOLE_TABLE = re.compile(rf"^SCAN ({'|'.join(GROWING)})\b(?! USING (COVERING )?INDEX)")
SUBQUERY = re.compile(rf"^(CO-ROUTINE|MATERIALIZE) ({'|'.join(GROWING)})\b")
"""A subquery may have the name of its table; a scan of it reads few rows."""


@dataclass
class Asked:
    """Plans of all statements."""

    plans: dict[str, list[str]] = field(default_factory=dict)

    def whole_tables(self) -> dict[str, list[str]]:
        # For a new chat, SQLite plans to scan its posts, but does so only if one of them lacks its chat; for
        # a new message through the client_ids.
        new = ("INSERT INTO chats", "INSERT INTO messages")
        asked = {sql: steps for sql, steps in self.plans.items() if not sql.startswith(new)}
        return {sql: steps for sql, steps in asked.items() if scans(steps)}

    def uses(self, index: str) -> bool:
        return any(f"INDEX {index} " in f"{step} " for steps in self.plans.values() for step in steps)


def scans(steps: list[str]) -> list[str]:
    """Return the tables that a plan reads completely."""
    found = [match[1] for step in steps if (match := WHOLE_TABLE.search(step))]
    for step in steps:
        if (match := SUBQUERY.search(step)) and match[2] in found:
            found.remove(match[2])
    return found


@contextmanager
def asking(session: Session) -> Iterator[Asked]:
    """Record every statement in the block, and explain each at the end."""
    driver: Any = session.connection().connection.dbapi_connection
    statements: list[str] = []
    asked = Asked()
    driver.set_trace_callback(statements.append)
    try:
        yield asked
    finally:
        driver.set_trace_callback(None)
    for sql in statements:
        if re.match(r"\s*(WITH|SELECT|UPDATE|DELETE|INSERT)\b", sql):
            asked.plans[sql] = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}")]


def new(number: int, *, is_alert: bool = True) -> NewMessage:
    return NewMessage(
        account="alice",
        source="backup",
        recipients=(Recipient(RecipientKind.CHAT, f"-100{number}"),),
        content=f"disk {number} full",
        title=None,
        is_alert=is_alert,
        escalate_after=timedelta(minutes=15),
        close_after=timedelta(hours=1),
        client_id=f"c{number}",
        fingerprint="f",
    )


def accept(session: Session) -> list[Any]:
    return messages_accept.accept(session, [new(number) for number in range(20)], now=NOW)


def claim(session: Session) -> tuple[Claim, ...]:
    leader = Leader(term=1, limits=LIMITS)
    return claims.claim_due(session, leader, now=NOW + timedelta(seconds=1), limit=8).claims


CALL = Send("-1001", Part("disk full"))


def record(session: Session, claimed: Claim, outcome: Outcome) -> None:
    attempt = Attempt(claimed, CALL, 0, "d", is_last=True)
    delivery_record.record(session, attempt, outcome, now=NOW + timedelta(seconds=2), policy=RETRY_POLICY)


def fill(session: Session) -> list[str]:
    """Insert twenty alerts in twenty chats: some shown, one with a flood wait, one failing. Return their ids."""
    bot.begin_term(session, now=NOW)
    chats.ensure(session, {f"-100{number}" for number in range(20)}, is_new=False)
    accepted = accept(session)
    taken = claim(session)
    for index, claimed in enumerate(taken[:-2]):
        record(session, claimed, Shown(claimed.post.chat_id, (100 + index,), "supergroup"))
    record(session, taken[-2], HoldOff(timedelta(hours=2)))
    record(session, taken[-1], TryAgain("cut", uncertain=True))
    update_store.store(session, 1, "{}", now=NOW)
    return [each.id for each in accepted if isinstance(each, Acceptance)]


@pytest.fixture
async def filled(database: Database) -> list[str]:
    return await database.write(fill)


async def explain(database: Database, verb: Callable[[Session], object]) -> Asked:
    def run(session: Session) -> Asked:
        with asking(session) as asked:
            verb(session)
        return asked

    asked = await database.write(run)
    assert asked.plans
    return asked


def claim_one(session: Session) -> None:
    assert claim(session)


def next_call(session: Session) -> None:
    """Claim until nothing is due: the last claim then looks for the next due time."""
    leader = Leader(term=1, limits=LIMITS)
    while (found := claims.claim_due(session, leader, now=NOW + timedelta(seconds=1), limit=8)).claims:
        pass
    assert found.look_again_at


def reschedule(session: Session) -> None:
    chats.reschedule(session, "-10019")


def late(verb: Callable[..., object], **given: object) -> Callable[[Session], object]:
    return partial(verb, now=NOW + timedelta(hours=2), **given)


LONG_AGO = NOW - timedelta(days=90)


@pytest.mark.parametrize(
    ("verb", "index"),
    [
        (claim_one, "turns_next"),
        (claim_one, "posts_due"),
        (next_call, "turns_by_time"),
        (reschedule, "posts_due"),
        (escalate.next_escalation, "messages_escalate"),
        (expire.next_expiry, "messages_close"),
        (
            late(escalate.escalate_due, directory=messages_accept.NO_CONFIG, channel="-1009", limit=5),
            "messages_escalate",
        ),
        (late(expire.expire_due, limit=5), "messages_close"),
        (late(alerts_remind.remind_due, directory=messages_accept.NO_CONFIG, limit=5), "messages_remind"),
        (alerts_remind.REMINDERS.next_at, "messages_remind"),
        (late(schedules_release.release_due, directory=messages_accept.NO_CONFIG, limit=5), "messages_release"),
        (schedules_release.RELEASES.next_at, "messages_release"),
        (late(schedules_changes.any_far_ahead), "ix_schedules_settled_until"),
        (late(schedules_changes.undo_clock_jump, limit=5), "ix_schedules_settled_until"),
        (partial(unknown_zones.unknown_zones, config=Config()), "ix_schedules_ended_at"),
        (late(schedules_queries.pending, account=None, limit=5), "messages_sent_later"),
        (late(schedules_queries.pending, account="root", limit=5), "messages_sent_later"),
        (messages_queries.backlog, "deliveries_waiting"),
        (messages_queries.backlog, "posts_uncertain"),
        (messages_queries.backlog, "posts_in_trouble"),
        (update_store.waiting, "inbox_waiting"),
        (late(bot.begin_term), "chats_claimed"),
    ],
)
async def test_a_frequent_query_uses_its_partial_index(
    database: Database, filled: list[str], verb: Callable[[Session], object], index: str
) -> None:
    asked = await explain(database, verb)
    assert asked.whole_tables() == {}
    assert asked.uses(index), asked.plans


def record_shown(session: Session) -> None:
    claimed = claim(session)[0]
    record(session, claimed, Shown(claimed.post.chat_id, (999,), "supergroup"))


def record_trouble(session: Session) -> None:
    for _ in range(4):  # the third failure in a row means that Telegram is away
        for claimed in claim(session)[:1]:
            record(session, claimed, TryAgain("cut", uncertain=True))


def record_flood(session: Session) -> None:
    record(session, claim(session)[0], HoldOff(timedelta(hours=1)))


def standing(session: Session) -> None:
    for job in ("close", "escalation"):
        job_history.keep_run(session, JobRun(job=job, started_at=NOW, duration_s=0.1))
    assert job_history.statistics(session, "close").runs == 1


def answer(verb: Callable[..., object]) -> Callable[[Session, str], object]:
    actor = actors.by_account("alice")
    return lambda session, message_id: verb(session, message_id=message_id, actor=actor, now=NOW)


@pytest.mark.parametrize(
    "verb",
    [
        accept,
        record_shown,
        record_trouble,
        record_flood,
        partial(posts.messages_of, post_id="x"),
        partial(forget.forget_messages, before=LONG_AGO, limit=5),
        partial(changes.forget_old, before=LONG_AGO),
        partial(update_store.note_failure, update_id=1, error="x"),
        partial(update_store.mark_handled, update_id=1, now=NOW),
        partial(queries.open_alerts, chat_id="-1001", limit=10),
        partial(people.readers, names={"alice", "bob"}),
        partial(overrides.active_or_upcoming, now=NOW),
        partial(people.readers_of_chats, chat_ids={"7"}),
        standing,
    ],
)  # fmt: skip
async def test_no_verb_reads_a_whole_table(
    database: Database, filled: list[str], verb: Callable[[Session], object]
) -> None:
    assert (await explain(database, verb)).whole_tables() == {}


async def planned(database: Database) -> tuple[str, str]:
    """Insert twenty schedules; return the ids of one and of its waiting message."""
    batch = [new(number)._replace(client_id=None, repeat="every 15m") for number in range(20)]
    answer = (await database.write(lambda session: messages_accept.accept(session, batch, now=NOW)))[7]
    assert isinstance(answer, Acceptance)
    return answer.schedule_id or "", answer.id


@pytest.mark.parametrize(
    "verb",
    [schedules_changes.pause, schedules_changes.cancel, partial(schedules_changes.change, time_zone="Africa/Cairo")],
)
async def test_a_change_of_a_schedule_finds_its_waiting_message_by_an_index(
    database: Database, filled: list[str], verb: Callable[..., object]
) -> None:
    schedule_id, _ = await planned(database)
    change = partial(verb, schedule_id=schedule_id, actor=actors.by_account("alice"), now=NOW)
    asked = await explain(database, change)
    assert asked.whole_tables() == {}
    assert asked.uses("messages_next"), asked.plans


async def test_skipping_or_releasing_an_occurrence_reads_no_whole_table(database: Database, filled: list[str]) -> None:
    _, waiting = await planned(database)
    assert (
        await explain(database, lambda session: answer(cancel.cancel_message)(session, waiting))
    ).whole_tables() == {}
    release = late(schedules_release.release_due, directory=messages_accept.NO_CONFIG, limit=5)
    assert (await explain(database, release)).whole_tables() == {}


@pytest.mark.parametrize("verb", [acknowledge.acknowledge, close.close, cancel.cancel_message])
async def test_an_acknowledgement_reads_its_own_message_only(
    database: Database, filled: list[str], verb: Callable[..., object]
) -> None:
    asked = await explain(database, lambda session: answer(verb)(session, filled[-1]))
    assert asked.whole_tables() == {}


async def test_unacknowledging_and_retrying_read_their_own_message_only(database: Database, filled: list[str]) -> None:
    actor = actors.by_account("alice")
    shown, lost = filled[0], filled[-1]
    await database.write(partial(acknowledge.acknowledge, message_id=shown, actor=actor, now=NOW, closes=False))
    give_up = text("UPDATE deliveries SET status = 'failed' WHERE message_id = :lost").bindparams(lost=lost)
    await database.write(lambda session: session.execute(give_up))
    back = partial(unacknowledge.unacknowledge, message_id=shown, directory=messages_accept.NO_CONFIG)
    for verb in (back, partial(retry.retry, message_id=lost)):
        assert (await explain(database, partial(verb, actor=actor, now=NOW))).whole_tables() == {}


async def test_reminding_reads_the_deliveries_of_its_own_messages_only(database: Database, filled: list[str]) -> None:
    remind = partial(alerts_remind.post_reminders, message_ids=filled, directory=messages_accept.NO_CONFIG, now=NOW)
    assert (await explain(database, remind)).whole_tables() == {}


async def test_the_policy_check_of_health_reads_no_whole_table(database: Database, filled: list[str]) -> None:
    plan = EscalationPlan((EscalationStep(timedelta(minutes=5), ("alice", "-1001")),), count=1)
    asked = await explain(
        database,
        partial(policy_gaps.find_gaps, plans={"night": plan}, channel="-1002", directory=messages_accept.NO_CONFIG),
    )
    assert asked.whole_tables() == {}


@pytest.mark.parametrize(
    "wanted",
    [
        MessageFilter(),
        MessageFilter(status=State.SENT),
        MessageFilter(source="backup"),
        MessageFilter(account="alice"),
        MessageFilter(is_open=True),
        MessageFilter(since=NOW),
        MessageFilter(before_id="01890a5d-ac96-774b-bcce-b302099a8057"),
        MessageFilter(status=State.SENT, source="backup", account="alice", since=NOW),
    ],
)
async def test_a_page_of_messages_is_read_from_an_index_in_its_order(
    database: Database, filled: list[str], wanted: MessageFilter
) -> None:
    asked = await explain(database, partial(messages_queries.page, wanted=wanted, limit=51))
    assert asked.whole_tables() == {}
    assert not any("TEMP B-TREE" in step for steps in asked.plans.values() for step in steps)


@pytest.mark.parametrize("wanted", [MessageFilter(since=NOW), MessageFilter(since=NOW, source="backup")])
async def test_a_page_since_a_time_stops_at_that_time(
    database: Database, filled: list[str], wanted: MessageFilter
) -> None:
    """With fewer messages than the limit, it must not read to the start of the table."""
    asked = await explain(database, partial(messages_queries.page, wanted=wanted, limit=51))
    assert any(re.search(r"SEARCH messages .*id>", step) for steps in asked.plans.values() for step in steps)


async def test_retention_reads_old_messages_only(database: Database, filled: list[str]) -> None:
    asked = await explain(database, partial(forget.forget_messages, before=LONG_AGO, limit=5))
    assert any(re.search(r"SEARCH messages .*id<", step) for steps in asked.plans.values() for step in steps)
