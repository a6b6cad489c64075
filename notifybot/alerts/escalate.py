"""Escalate alerts that nobody acknowledged in time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlmodel import Session

from notifybot.alerts.policy import DueSteps, EscalationPlan
from notifybot.messages import edit, transitions
from notifybot.model import actors
from notifybot.model.conditions import MAY_ESCALATE
from notifybot.model.enums import Deadline, DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.model.ids import new_ids
from notifybot.model.messages import Delivery, Message, TimelineEvent
from notifybot.model.states import Transition, target
from notifybot.posts import posts as posts_posts
from notifybot.recipients import resolve
from notifybot.recipients.directory import Directory
from notifybot.recipients.resolve import Destination, Resolved
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, in_list, insert_rows, run, table_of
from notifybot.storage.writer import changes
from notifybot.times.display import listed

MESSAGES = table_of(Message)
ESCALATIONS = Due(MESSAGES, "escalate_at", MAY_ESCALATE)
NOW = bindparam("moment", type_=MESSAGES.c.escalate_at.type)
_DUE = ESCALATIONS.overdue.with_only_columns(
    *(MESSAGES.c[name] for name in ("id", "plan", "steps_left", "escalate_at"))
)
_STEP = update(MESSAGES).where(text(MAY_ESCALATE)).values(state=target(Transition.ESCALATE), escalated_at=NOW)
_NEXT_STEP = _STEP.where(MESSAGES.c.id == bindparam("message")).values(
    steps_left=bindparam("left"), escalate_at=bindparam("next_at", type_=MESSAGES.c.escalate_at.type)
)
_ONLY_STEP = _STEP.where(in_list(MESSAGES.c.id, "messages")).values(steps_left=0)


def escalate_due(session: Session, directory: Directory, channel: str | None, *, now: datetime, most: int) -> int:
    """Take the next step of at most `most` alerts whose `escalate_at` has come, the longest overdue first; return of
    how many. Whom a step tells is found out now.

    `channel` is told where an alert has no policy, and where a step of its policy reaches nobody. Without one the alert
    counts as escalated all the same, and the step behind one that reaches nobody is taken at once.
    """
    escalating = _EscalationRound(session, directory, channel, now)
    due = fetch(session, _DUE, moment=now, most=most)
    for row in due:
        escalating.take(row)
    escalating.insert()
    return len(due)


@dataclass
class _EscalationRound:
    """The steps that one transaction takes. `ways`: where recipients lead that were asked for already."""

    session: Session
    directory: Directory
    channel: str | None
    now: datetime
    ways: dict[tuple[str, ...], Resolved] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    unplanned: list[str] = field(default_factory=list)
    """The messages without a policy: all of them take their step in one statement."""

    def __post_init__(self) -> None:
        self._ids = new_ids(self.now)

    def take(self, row: Any) -> None:
        """Take the step that is due of one alert, and while that reaches nobody, those behind it in the same round."""
        if row.plan is None:
            self._tell(row.id, DueSteps(1, 1, () if self.channel is None else (self.channel,), None), None)
            self.unplanned.append(row.id)
            return
        plan, left, due_at = EscalationPlan.of(row.plan), row.steps_left, row.escalate_at
        while True:
            taken = plan.take(left=left, overdue=self.now - due_at)
            left -= taken.count
            is_told = self._tell(row.id, taken, plan)
            if is_told or left == 0 or plan.is_last_of_round(plan.count - left - 1):
                break
            due_at = self.now
        self._move(row.id, left, due_at + (taken.next_after or timedelta()))

    def _tell(self, message_id: str, taken: DueSteps, plan: EscalationPlan | None) -> bool:
        """The same message once more, as a new post in each chat of these recipients; False where there is none."""
        way = self._way(taken.to)
        said = [_steps_in_words(taken, plan), *resolve.not_notified(way)]
        if not way.is_told and plan is not None and self.channel is not None:
            way = self._way((self.channel,))
            said.append(f"None of them can be told, so it goes to {self.channel}.")
        for each in way.destinations:
            if each.withheld is None:
                self._deliver(message_id, each)
        self.lines.append({"message_id": message_id, "detail": " ".join(said)})
        return way.is_told

    def _way(self, to: tuple[str, ...]) -> Resolved:
        if to not in self.ways:
            self.ways[to] = resolve.resolve_names(self.session, to, self.directory, now=self.now)
        return self.ways[to]

    def _deliver(self, message_id: str, to: Destination) -> None:
        post = posts_posts.new_post(next(self._ids), to.chat.id, Urgency.ALERT, now=self.now, thread_id=to.thread_id)
        self.posts.append(post)
        delivery = {"message_id": message_id, "post_id": post["id"], "chat_id": to.chat.id, "recipient": to.name}
        self.deliveries.append(delivery)

    def _move(self, message_id: str, left: int, next_at: datetime) -> None:
        run(self.session, _NEXT_STEP, message=message_id, moment=self.now, left=left, next_at=next_at)
        changes(self.session).note_deadline(Deadline.ESCALATE, next_at if left else None)

    def insert(self) -> None:
        """Write what follows from the steps, and show everywhere that they were taken."""
        if self.unplanned:
            run(self.session, _ONLY_STEP, moment=self.now, messages=self.unplanned)
        escalated = list(dict.fromkeys(line["message_id"] for line in self.lines))
        changes(self.session).messages.update(escalated)
        edit.refresh_posts(self.session, escalated, now=self.now)
        posts_posts.queue(self.session, self.posts, Urgency.ALERT, now=self.now)
        same = {"purpose": Purpose.ESCALATION, "status": DeliveryStatus.WAITING, "attempts": 0}
        insert_rows(self.session, Delivery, self.deliveries, same=same)
        transitions.update_may_expire(self.session, list({each["message_id"] for each in self.deliveries}))
        event = {"event": EventKind.ESCALATED, "at": self.now, "actor": actors.NOTIFYBOT}
        insert_rows(self.session, TimelineEvent, self.lines, same=event)


def _steps_in_words(taken: DueSteps, plan: EscalationPlan | None) -> str:
    """Which steps, and whom they tell."""
    if plan is None:
        return f"To {listed(taken.to)}." if taken.to else "No escalation channel is configured."
    last = taken.first + taken.count - 1
    steps = f"Step {last}" if taken.count == 1 else f"Steps {taken.first} to {last}"
    return f"{steps} of {plan.count}, to {listed(taken.to)}."


def next_escalation(session: Session) -> datetime | None:
    return ESCALATIONS.next_at(session)
