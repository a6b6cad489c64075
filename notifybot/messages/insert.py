"""Insert a batch of accepted messages in a few statements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from notifybot.messages import attachments, transitions
from notifybot.messages.idempotency import CLIENT_ID_RETENTION
from notifybot.messages.insert_deliveries import DeliveryRows
from notifybot.messages.new_message import Acceptance, NewMessage, SendTiming
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import ClientId, Message, TimelineEvent
from notifybot.model.schedules import Schedule
from notifybot.model.states import State
from notifybot.posts import timeline
from notifybot.recipients.resolve import Resolved
from notifybot.rendering.parts import DEFAULT_APPEARANCE, NewFile
from notifybot.storage.statements import insert_rows
from notifybot.storage.writer import changes
from notifybot.times.spans import comes_before_close

_USUAL: Mapping[str, Any] = {
    "look": None,
    "data": None,
    "dedup_key": None,
    "file_count": 0,
    "event": None,
    "policy": None,
    "plan": None,
    "steps_left": 1,
    "remind_every_s": None,
    "remind_at": None,
}
"""Defaults of the columns that most messages do not need."""


@dataclass
class MessageRows:
    """Rows of a batch accepted at `now`, collected by `add` and `add_scheduled` and written by `insert`."""

    now: datetime
    ids: Iterator[str]
    """Ids that sort in the order of acceptance, within the batch too."""
    plain: list[dict[str, Any]] = field(default_factory=list)
    """Messages sent at once with only the usual columns. Inserting all columns takes twice as long (30 µs a row)."""
    full: list[dict[str, Any]] = field(default_factory=list)
    """All other messages, with all their columns."""
    unreached: list[str] = field(default_factory=list)
    """Ids of messages that reach no one."""
    schedules: list[dict[str, Any]] = field(default_factory=list)
    files: list[tuple[str, Sequence[NewFile]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    client_ids: list[dict[str, Any]] = field(default_factory=list)
    deadlines: set[tuple[Deadline, datetime | None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.deliveries = DeliveryRows(self.now, self.ids)

    def add(self, new: NewMessage, resolved: Resolved) -> Acceptance:
        """Add a message that is sent at once, with everything that belongs to it."""
        message_id = next(self.ids)
        escalate_at, close_at = _deadlines_of(new, self.now)
        if escalate_at is not None and resolved.is_too_late(escalate_at):
            escalate_at = self.now
        row = _columns(new, message_id, escalate_at, close_at)
        optional = _optional_columns(new, self.now)
        notifies_anyone = resolved.notifies_anyone
        state = State.INITIATED if notifies_anyone else State.FAILED
        if notifies_anyone and optional == _USUAL:
            self.plain.append(row)
        else:
            self.full.append({**row, **optional, **_schedule_columns(state)})
        if not notifies_anyone:
            self.unreached.append(message_id)
        self._add_related(new, message_id)
        self._note_deadlines(row, optional)
        self.deliveries.add(message_id, resolved, new.look, is_alert=new.is_alert, caller=new.account)
        return Acceptance(message_id, state, False, self.now, escalate_at, close_at)

    def add_scheduled(self, new: NewMessage, timing: SendTiming) -> Acceptance:
        """Add a message that waits for its release; its recipients are resolved then."""
        message_id, send_at = next(self.ids), timing.send_at
        escalate_at, close_at = _deadlines_of(new, send_at)
        row = _columns(new, message_id, escalate_at, close_at)
        optional = _optional_columns(new, send_at)
        schedule_id = None if timing.repeat is None else self._add_schedule(new, timing, timing.repeat)
        self.full.append({**row, **optional, **_schedule_columns(State.SCHEDULED, send_at, schedule_id)})
        self.deadlines.add((Deadline.RELEASE, send_at))
        self._add_related(new, message_id)
        self._note_deadlines(row, optional)
        return Acceptance(
            message_id,
            State.SCHEDULED,
            False,
            self.now,
            escalate_at,
            close_at,
            send_at=send_at,
            schedule_id=schedule_id,
            next_times=timing.next_times,
        )

    def _add_schedule(self, new: NewMessage, timing: SendTiming, repeat: str) -> str:
        schedule_id = next(self.ids)
        times = {"repeat": repeat, "time_zone": timing.time_zone, "begins_at": timing.send_at}
        self.schedules.append({"id": schedule_id, "account": new.account, **times})
        return schedule_id

    def _add_related(self, new: NewMessage, message_id: str) -> None:
        self.events.append({"message_id": message_id, "actor": f"account:{new.account}"})
        if new.files:
            self.files.append((message_id, new.files))
        for file in new.files:
            if file.refusal is not None:
                self.deliveries.note(message_id, EventKind.REFORMATTED, f"{file.name}: {file.refusal.detail}")
        if new.why_plain is not None:
            self.deliveries.note(message_id, EventKind.REFORMATTED, timeline.shown_plain(new.why_plain))
        if new.client_id is not None:
            key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
            self.client_ids.append({**key, "fingerprint": new.fingerprint})

    def _note_deadlines(self, row: Mapping[str, Any], optional: Mapping[str, Any]) -> None:
        if row["close_at"] is not None or row["escalate_at"] is not None:
            self.deadlines.add((Deadline.ESCALATE, row["escalate_at"]))
            self.deadlines.add((Deadline.CLOSE, row["close_at"]))
        if optional["remind_at"] is not None:
            self.deadlines.add((Deadline.REMIND, optional["remind_at"]))

    def insert(self, session: Session) -> None:
        """Write all rows and note their deadlines."""
        if not self.events:
            return
        now = self.now
        insert_rows(session, Schedule, self.schedules, same={"created_at": now})
        insert_rows(session, Message, self.plain, same={"state": State.INITIATED, "created_at": now})
        insert_rows(session, Message, self.full, same={"created_at": now})
        attachments.add(session, self.files)
        insert_rows(session, TimelineEvent, self.events, same={"event": EventKind.ACCEPTED, "at": now})
        self.deliveries.insert(session)
        transitions.update_may_expire(session, self.unreached)
        insert_rows(session, ClientId, self.client_ids, same={"expires_at": now + CLIENT_ID_RETENTION})
        noted = changes(session)
        for deadline, moment in self.deadlines:
            noted.note_deadline(deadline, moment)


def _columns(
    new: NewMessage, message_id: str, escalate_at: datetime | None, close_at: datetime | None
) -> dict[str, Any]:
    return {
        "id": message_id,
        "is_alert": new.is_alert,
        "title": new.title,
        "content": new.content,
        "recipients": [recipient.name for recipient in new.recipients],
        "source": new.source,
        "account": new.account,
        "escalate_at": escalate_at,
        "close_at": close_at,
    }


def _optional_columns(new: NewMessage, begins_at: datetime) -> dict[str, Any]:
    every = new.remind_every if new.is_alert else None
    return {
        "look": None if new.look is DEFAULT_APPEARANCE else new.look.stored(),
        "data": new.data,
        "dedup_key": new.dedup_key,
        "file_count": len(new.files),
        "event": new.event,
        "policy": new.policy,
        "plan": new.plan,
        "steps_left": new.steps,
        "remind_every_s": None if every is None else int(every.total_seconds()),
        "remind_at": None if every is None else begins_at + every,
    }


def _schedule_columns(state: State, send_at: datetime | None = None, schedule_id: str | None = None) -> dict[str, Any]:
    return {"state": state, "send_at": send_at, "release_at": send_at, "schedule_id": schedule_id}


def _deadlines_of(new: NewMessage, begins_at: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the times at which a new alert escalates and closes, if it does."""
    if not new.is_alert:
        return None, None
    close_at = None if new.close_after is None else begins_at + new.close_after
    if new.escalate_after is None or not comes_before_close(new.escalate_after, new.close_after):
        return None, close_at
    return begins_at + new.escalate_after, close_at
