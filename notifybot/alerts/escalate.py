"""Escalate alerts that nobody has acknowledged in time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlmodel import Session

from notifybot.alerts.policy import DueSteps, EscalationPlan
from notifybot.messages import edit, transitions
from notifybot.messages.lost_recipients import LostRecipients
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
    *(MESSAGES.c[name] for name in ("id", "plan", "steps_left", "escalate_at", "account"))
)
_STEP = update(MESSAGES).where(text(MAY_ESCALATE)).values(state=target(Transition.ESCALATE), escalated_at=NOW)
_NEXT_STEP = _STEP.where(MESSAGES.c.id == bindparam("message")).values(
    steps_left=bindparam("left"), escalate_at=bindparam("next_at", type_=MESSAGES.c.escalate_at.type)
)
_ONLY_STEP = _STEP.where(in_list(MESSAGES.c.id, "messages")).values(steps_left=0)


def escalate_due(session: Session, directory: Directory, channel: str | None, *, now: datetime, limit: int) -> int:
    """Take the due step of at most `limit` alerts, the longest overdue first; return how many.

    Recipients are resolved now. `channel` is notified for alerts without a policy and if a step reaches no one.
    Without a channel the alert still counts as escalated, and after a step that reaches no one the next one is taken
    at once.
    """
    escalation = _EscalationRound(session, directory, channel, now)
    due = fetch(session, _DUE, moment=now, limit=limit)
    for row in due:
        escalation.add(row)
    escalation.insert()
    return len(due)


@dataclass
class _EscalationRound:
    """The steps that one transaction takes."""

    session: Session
    directory: Directory
    channel: str | None
    now: datetime
    resolved: dict[tuple[str, ...], Resolved] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    unplanned: list[str] = field(default_factory=list)
    """Alerts without a policy: they take their step in one statement."""
    lost: LostRecipients = field(default_factory=LostRecipients)

    def __post_init__(self) -> None:
        self._ids = new_ids(self.now)

    def add(self, row: Any) -> None:
        """Take the due step of one alert; while that reaches no one, take the next ones of the same round."""
        if row.plan is None:
            self._notify(row, DueSteps(1, 1, () if self.channel is None else (self.channel,), None), None)
            self.unplanned.append(row.id)
            return
        plan, left, due_at = EscalationPlan.from_json(row.plan), row.steps_left, row.escalate_at
        while True:
            steps = plan.due_steps(left=left, overdue=self.now - due_at)
            left -= steps.count
            is_anyone_notified = self._notify(row, steps, plan)
            if is_anyone_notified or left == 0 or plan.is_last_of_round(plan.count - left - 1):
                break
            due_at = self.now
        self._move(row.id, left, due_at + (steps.next_after or timedelta()))

    def _notify(self, row: Any, steps: DueSteps, plan: EscalationPlan | None) -> bool:
        """Post the message again in each chat of these recipients; return False if there is none."""
        resolved = self._resolve(steps.to)
        detail = [_describe(steps, plan), *resolve.not_notified(resolved)]
        self.lost.note(row.id, resolved)
        if not resolved.notifies_anyone and plan is not None and self.channel is not None:
            resolved = self._resolve((self.channel,))
            detail.append(f"None of them can be reached, so it goes to {self.channel}.")
        for destination in resolved.destinations:
            if destination.withheld is None:
                self._deliver(row, destination)
        self.timeline.append({"message_id": row.id, "detail": " ".join(detail)})
        return resolved.notifies_anyone

    def _resolve(self, to: tuple[str, ...]) -> Resolved:
        if to not in self.resolved:
            self.resolved[to] = resolve.resolve_names(self.session, to, self.directory, now=self.now)
        return self.resolved[to]

    def _deliver(self, row: Any, to: Destination) -> None:
        options = {"caller": row.account, "thread_id": to.thread_id}
        post = posts_posts.new_post(next(self._ids), to.chat.id, Urgency.ALERT, now=self.now, **options)
        self.posts.append(post)
        delivery = {"message_id": row.id, "post_id": post["id"], "chat_id": to.chat.id, "recipient": to.name}
        self.deliveries.append(delivery)

    def _move(self, message_id: str, left: int, next_at: datetime) -> None:
        run(self.session, _NEXT_STEP, message=message_id, moment=self.now, left=left, next_at=next_at)
        changes(self.session).note_deadline(Deadline.ESCALATE, next_at if left else None)

    def insert(self) -> None:
        """Write the steps and what follows from them, and refresh the posts."""
        if self.unplanned:
            run(self.session, _ONLY_STEP, moment=self.now, messages=self.unplanned)
        escalated = list(dict.fromkeys(line["message_id"] for line in self.timeline))
        changes(self.session).messages.update(escalated)
        edit.refresh_posts(self.session, escalated, now=self.now)
        posts_posts.queue(self.session, self.posts, Urgency.ALERT, now=self.now)
        same = {"purpose": Purpose.ESCALATION, "status": DeliveryStatus.WAITING, "attempts": 0}
        insert_rows(self.session, Delivery, self.deliveries, same=same)
        transitions.update_may_expire(self.session, list({each["message_id"] for each in self.deliveries}))
        event = {"event": EventKind.ESCALATED, "at": self.now, "actor": actors.NOTIFYBOT}
        insert_rows(self.session, TimelineEvent, self.timeline, same=event)
        self.lost.report(self.session, self.directory, now=self.now)


def _describe(steps: DueSteps, plan: EscalationPlan | None) -> str:
    """For example `Steps 1 to 2 of 4, to alice and bob.`"""
    if plan is None:
        return f"To {listed(steps.to)}." if steps.to else "No escalation channel is configured."
    last = steps.first + steps.count - 1
    which = f"Step {last}" if steps.count == 1 else f"Steps {steps.first} to {last}"
    return f"{which} of {plan.count}, to {listed(steps.to)}."


def next_escalation(session: Session) -> datetime | None:
    return ESCALATIONS.next_at(session)
