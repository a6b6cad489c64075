"""Property test of escalation: with any policy and job timing, each step is taken once, in order, never early."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from notifybot.alerts import acknowledge, escalate
from notifybot.alerts.policy import EscalationPlan, escalation_plan
from notifybot.config.model import Policy, StepConfig
from notifybot.messages import accept as messages_accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model import actors
from notifybot.model.enums import EventKind, Purpose
from notifybot.model.messages import Delivery, Message, TimelineEvent
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.storage.database import Database

BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = actors.by_account("alice")
minutes = st.integers(1, 60)


@dataclass(frozen=True)
class Night:
    """A policy, the minutes at which the job runs, and when someone acknowledges."""

    plan: EscalationPlan
    looks: tuple[int, ...]
    answer_after: int | None


@st.composite
def nights(draw: st.DrawFn) -> Night:
    afters = sorted(draw(st.sets(minutes, min_size=1, max_size=4)))
    steps = tuple(StepConfig(timedelta(minutes=after), (f"-100{number}",)) for number, after in enumerate(afters, 1))
    policy = Policy(steps, repeat=draw(st.integers(0, 3)))
    close_after = draw(st.none() | st.integers(1, 200).map(lambda count: timedelta(minutes=count)))
    looks = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=12)))
    return Night(escalation_plan(policy, close_after), tuple(looks), draw(st.none() | st.integers(0, 300)))


def accept(session: Session, plan: EscalationPlan) -> str:
    new = NewMessage(
        account="alice",
        source="backup",
        recipients=(Recipient(RecipientKind.CHAT, "-1009"),),
        content="disk full",
        title=None,
        is_alert=True,
        escalate_after=plan.due_after(0) if plan.count else None,
        close_after=None,
        plan=plan.to_json(),
        steps=plan.count,
    )
    (answer,) = messages_accept.accept(session, [new], now=BEGINNING)
    assert isinstance(answer, Acceptance)
    return answer.id


def pass_night(session: Session, night: Night) -> tuple[str, int]:
    """Run the night; return the alert, and for how many minutes the job ran."""
    message_id = accept(session, night.plan)
    looked = 0
    for look in night.looks:
        if night.answer_after is not None and night.answer_after < look:
            acknowledge.acknowledge(session, message_id, ALICE, now=BEGINNING + timedelta(minutes=night.answer_after))
            break
        now, looked = BEGINNING + timedelta(minutes=look), look
        while escalate.escalate_due(session, messages_accept.NO_CONFIG, None, now=now, limit=3):
            pass
    return message_id, looked


def due(plan: EscalationPlan, minute: int) -> int:
    """Return how many steps are due by then."""
    return sum(plan.due_after(step) <= timedelta(minutes=minute) for step in range(plan.count))


def notified(session: Session, message_id: str) -> list[str]:
    ordered = select(Delivery.chat_id).where(Delivery.message_id == message_id, Delivery.purpose == Purpose.ESCALATION)
    return list(session.exec(ordered.order_by(col(Delivery.id))))


def batches(night: Night) -> list[list[str]]:
    """Return the recipients of each run: those of steps due since the last run, once each, in order of steps."""
    found, before = [], 0
    for look in night.looks:
        if night.answer_after is not None and night.answer_after < look:
            break
        until = due(night.plan, look)
        steps = [night.plan.steps[step % len(night.plan.steps)] for step in range(before, until)]
        if steps:
            found.append(list(dict.fromkeys(name for step in steps for name in step.to)))
        before = max(before, until)
    return found


@pytest.mark.slow_because("80 alerts live through a night")
@pytest.mark.sqlite_only(reason="the rules are the same, and it is asked very often")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights())
async def test_every_step_is_taken_once_and_on_time(database: Database, night: Night) -> None:
    def live(session: Session) -> None:
        message_id, looked = pass_night(session, night)

        assert notified(session, message_id) == [chat_id for batch in batches(night) for chat_id in batch]
        kind = TimelineEvent.event == EventKind.ESCALATED
        lines = session.exec(select(TimelineEvent).where(TimelineEvent.message_id == message_id, kind)).all()
        assert len(lines) == len(batches(night))
        message = session.get_one(Message, message_id, populate_existing=True)
        assert message.steps_left == night.plan.count - due(night.plan, looked)
        if message.steps_left and message.acknowledged_at is None:
            step = night.plan.count - message.steps_left
            assert message.escalate_at == BEGINNING + night.plan.due_after(step)

    await database.write(live)
