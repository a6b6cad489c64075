"""Insert a batch of accepted messages in a few statements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from notifybot.messages import attachments
from notifybot.messages.insert_deliveries import DeliveryRows
from notifybot.messages.new_message import Acceptance, Extras, NewMessage, SendTiming
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import ClientId, Message, TimelineEvent
from notifybot.model.schedules import Schedule
from notifybot.model.states import State
from notifybot.posts import timeline
from notifybot.recipients.resolve import Resolved
from notifybot.rendering.parts import DEFAULT_APPEARANCE, NewFile
from notifybot.storage.statements import insert_rows
from notifybot.storage.writer import changes

CLIENT_IDS_KEPT = timedelta(days=7)
_NO_EXTRAS: Mapping[str, Any] = {
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


@dataclass
class MessageRows:
    """What a batch inserts, all accepted at `now`; what all rows of a table have in common stands in `insert`."""

    now: datetime
    ids: Iterator[str]
    """They sort in the order of acceptance, within the batch too."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    with_extras: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, with the columns that most do not need."""
    unreached: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, of which nobody is told."""
    scheduled: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, whose time has not come."""
    schedules: list[dict[str, Any]] = field(default_factory=list)
    files: list[tuple[str, Sequence[NewFile]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    client_ids: list[dict[str, Any]] = field(default_factory=list)
    deadlines: set[tuple[Deadline, datetime | None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.deliveries = DeliveryRows(self.now, self.ids)

    def add(self, new: NewMessage, way: Resolved) -> Acceptance:
        """Add a message that goes out at once, with all that belongs to it."""
        message_id = next(self.ids)
        escalate_at, close_at = _deadlines_of(new, self.now)
        is_told = way.is_told
        if escalate_at is not None and is_too_late(way, escalate_at):
            escalate_at = self.now
        row = _columns(new, message_id, escalate_at, close_at)
        self.deadlines.add((Deadline.ESCALATE, escalate_at))
        self.deadlines.add((Deadline.CLOSE, close_at))
        if new.extras is not None:
            row |= self._add_extras(new, new.extras, message_id, self.now)
            (self.with_extras if is_told else self.unreached).append(row)
        elif is_told:
            self.messages.append(row)
        else:
            self.unreached.append({**row, **_NO_EXTRAS})
        self._add_events(new, message_id)
        look = DEFAULT_APPEARANCE if new.extras is None else new.extras.look
        self.deliveries.add(message_id, way, look, is_alert=new.is_alert)
        state = State.INITIATED if is_told else State.FAILED
        return Acceptance(message_id, state, False, self.now, escalate_at, close_at)

    def schedule(self, new: NewMessage, timing: SendTiming) -> Acceptance:
        """Add a message that waits for its release: to which chats it goes is found out then."""
        assert new.extras is not None
        message_id, send_at = next(self.ids), timing.send_at
        escalate_at, close_at = _deadlines_of(new, send_at)
        row = _columns(new, message_id, escalate_at, close_at) | self._add_extras(new, new.extras, message_id, send_at)
        schedule_id = None if timing.repeat is None else self._add_schedule(new, timing, timing.repeat)
        self.scheduled.append({**row, "send_at": send_at, "release_at": send_at, "schedule_id": schedule_id})
        self.deadlines.add((Deadline.RELEASE, send_at))
        self._add_events(new, message_id)
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

    def _add_extras(self, new: NewMessage, extras: Extras, message_id: str, begins_at: datetime) -> dict[str, Any]:
        """What most messages do not have; its columns. Its deadlines count from `begins_at`."""
        if extras.files:
            self.files.append((message_id, extras.files))
        if extras.why_plain is not None:
            self.deliveries.remark(message_id, EventKind.REFORMATTED, timeline.shown_plain(extras.why_plain))
        every = extras.remind_every if new.is_alert else None
        remind_at = None if every is None else begins_at + every
        self.deadlines.add((Deadline.REMIND, remind_at))
        return {
            "look": extras.look.stored(),
            "data": extras.data,
            "dedup_key": extras.dedup_key,
            "file_count": len(extras.files),
            "event": extras.event,
            "policy": extras.policy,
            "plan": extras.plan,
            "steps_left": extras.steps,
            "remind_every_s": None if every is None else int(every.total_seconds()),
            "remind_at": remind_at,
        }

    def _add_events(self, new: NewMessage, message_id: str) -> None:
        self.events.append({"message_id": message_id, "actor": f"account:{new.account}"})
        if new.client_id is not None:
            key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
            self.client_ids.append({**key, "fingerprint": new.fingerprint})

    def insert(self, session: Session) -> None:
        """Write all of it, and say what is due."""
        if not self.events:
            return
        now = self.now
        self._insert_messages(session)
        insert_rows(session, TimelineEvent, self.events, same={"event": EventKind.ACCEPTED, "at": now})
        self.deliveries.insert(session)
        insert_rows(session, ClientId, self.client_ids, same={"expires_at": now + CLIENT_IDS_KEPT})
        noted = changes(session)
        for of, moment in self.deadlines:
            noted.note_deadline(of, moment)

    def _insert_messages(self, session: Session) -> None:
        underway = {"state": State.INITIATED, "created_at": self.now, "may_expire": False}
        insert_rows(session, Message, self.messages, same=underway)
        insert_rows(session, Message, self.with_extras, same=underway)
        failed = {"state": State.FAILED, "created_at": self.now, "may_expire": True}
        insert_rows(session, Message, self.unreached, same=failed)
        insert_rows(session, Schedule, self.schedules, same={"created_at": self.now})
        insert_rows(session, Message, self.scheduled, same={**underway, "state": State.SCHEDULED})
        attachments.add(session, self.files)


def is_too_late(way: Resolved, escalate_at: datetime) -> bool:
    """Whether nothing is shown anywhere before the alert escalates: whoever is told hears of it too late."""
    for each in way.destinations:
        held_until = each.chat.held_until
        if each.withheld is None and (held_until is None or held_until < escalate_at):
            return False
    return True


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


def _deadlines_of(new: NewMessage, begins_at: datetime) -> tuple[datetime | None, datetime | None]:
    """When an alert escalates and closes; a first step at or past its end never comes."""
    if not new.is_alert:
        return None, None
    close_at = None if new.close_after is None else begins_at + new.close_after
    if new.escalate_after is None or (new.close_after is not None and new.escalate_after >= new.close_after):
        return None, close_at
    return begins_at + new.escalate_after, close_at
