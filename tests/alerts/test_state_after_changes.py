"""Property test: after any sequence of actions, an alert is in the state that was requested last."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from notifybot.alerts import acknowledge, close, escalate, expire, remind, snooze, unacknowledge
from notifybot.alerts.policy import EscalationPlan, EscalationStep
from notifybot.errors import Conflict
from notifybot.messages import accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model import actors
from notifybot.model.enums import Purpose
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.storage.database import Database

BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = actors.by_account("alice")
PLAN = EscalationPlan(
    (EscalationStep(timedelta(minutes=5), ("-1001",)), EscalationStep(timedelta(minutes=20), ("-1002",))), count=4
)
CLOSE_AFTER = timedelta(hours=2)
actions = st.sampled_from([*["acknowledge", "unacknowledge"] * 4, "snooze", "close"])
"""`close` is rare, as a closed alert stays closed."""
deeds = st.lists(actions | st.integers(1, 40), min_size=4, max_size=20)


class Alert:
    """A shown alert with two steps in two rounds, and the state that it should be in."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = BEGINNING
        self.expected = "open"
        self.was_taken_back = False
        (accepted,) = accept.accept(session, [_new()], now=BEGINNING)
        assert isinstance(accepted, Acceptance)
        self.id = accepted.id
        session.execute(text("UPDATE deliveries SET status = 'shown'"))
        session.execute(text("UPDATE posts SET shown_version = version, parts_shown = 1"))
        session.execute(text("UPDATE messages SET state = 'sent', may_expire = 1"))

    @property
    def row(self) -> Message:
        return self.session.get_one(Message, self.id, populate_existing=True)

    def passes(self, minutes: int) -> None:
        """Let time pass and run the jobs."""
        self.now += timedelta(minutes=minutes)
        is_over = self.row.close_at is not None and self.row.close_at <= self.now
        steps_before = self.row.steps_left
        escalate.escalate_due(self.session, accept.NO_CONFIG, None, now=self.now, limit=9)
        expire.expire_due(self.session, now=self.now, limit=9)
        remind.remind_due(self.session, accept.NO_CONFIG, now=self.now, limit=9)
        if self.expected == "resting":
            assert self.row.steps_left == steps_before, "an acknowledged alert does not escalate"
        if is_over:
            self.expected = "closed"

    def does(self, deed: str) -> None:
        """Do one action; it must be refused exactly in the states that do not allow it."""
        may, after = self._rule(deed)
        try:
            self._try(deed)
        except Conflict:
            assert not may, (deed, self.expected)
        else:
            assert may, (deed, self.expected)
            self.was_taken_back |= deed == "unacknowledge"
            self.expected = after

    def _rule(self, deed: str) -> tuple[bool, str]:
        answered = self.row.acknowledged_at is not None
        match deed, self.expected:
            case "acknowledge", "open" | "resting":
                return True, "resting"
            case "acknowledge", _:
                return answered, self.expected
            case "unacknowledge", "resting":
                return True, "open"
            case "unacknowledge", "open":
                return self.was_taken_back, "open"
            case "close", _:
                return True, "closed"
            case "snooze", "open":
                return True, "open"
        return False, self.expected

    def _try(self, deed: str) -> None:
        match deed:
            case "acknowledge":
                acknowledge.acknowledge(self.session, self.id, ALICE, now=self.now, closes=False)
            case "unacknowledge":
                unacknowledge.unacknowledge(self.session, self.id, ALICE, accept.NO_CONFIG, now=self.now)
            case "close":
                close.close(self.session, self.id, ALICE, now=self.now)
            case "snooze":
                snooze.snooze(self.session, self.id, ALICE, self.now + timedelta(hours=1), now=self.now)

    def check(self) -> None:
        row = self.row
        states = {
            "open": {State.INITIATED, State.SENT, State.ESCALATED},
            "resting": {State.ACKNOWLEDGED},
            "closed": {State.CLOSED},
        }
        assert row.state in states[self.expected]
        assert (row.acknowledged_at is not None) or self.expected != "resting"
        escalations = select(func.count()).where(
            Delivery.purpose == Purpose.ESCALATION, col(Delivery.chat_id) != "-1009"
        )
        assert self.session.exec(escalations).one() >= (PLAN.count - row.steps_left > 0)
        if self.expected == "open":
            assert row.steps_left == 0 or (row.escalate_at is not None and row.escalate_at > self.now)
            assert row.close_at is not None
            assert row.close_at > self.now
        if self.expected != "closed":
            assert row.remind_at is not None
            assert row.remind_at > self.now


def _new() -> NewMessage:
    return NewMessage(
        account="alice",
        source="backup",
        recipients=(Recipient(RecipientKind.CHAT, "-1009"),),
        content="disk full",
        title=None,
        is_alert=True,
        escalate_after=PLAN.due_after(0),
        close_after=CLOSE_AFTER,
        plan=PLAN.to_json(),
        steps=PLAN.count,
        remind_every=timedelta(minutes=30),
    )


@pytest.mark.slow_because("80 alerts live through what people do to them")
@pytest.mark.sqlite_only(reason="the rules are the same, and it is asked very often")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds)
async def test_an_alert_is_in_the_state_that_people_last_asked_for(database: Database, done: list[str | int]) -> None:
    def live(session: Session) -> None:
        for table in ("timeline", "deliveries", "posts", "messages"):
            session.execute(text(f"DELETE FROM {table}"))
        alert = Alert(session)
        for deed in done:
            if isinstance(deed, int):
                alert.passes(deed)
            else:
                alert.does(deed)
            alert.check()

    await database.write(live)
