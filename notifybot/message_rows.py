"""Accepted messages → rows: what a batch inserts, in few statements for many messages."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from sqlmodel import Session

from notifybot import attachments, outbox, timeline
from notifybot.database import changes
from notifybot.kinds import DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.lifecycle import State
from notifybot.models import ClientId, Delivery, Message, Post, TimelineEvent
from notifybot.new_messages import Accepted, Extras, NewMessage
from notifybot.prepared import insert_rows
from notifybot.rendering import NewFile
from notifybot.routing import Destination, Way
from notifybot.unknown_names import listed

CLIENT_IDS_KEPT = timedelta(days=7)


class _Manner(NamedTuple):
    """How posts are sent. `not_before`: not before their reader's quiet hours end."""

    urgency: Urgency
    is_silent: bool = False
    thread_id: int | None = None
    not_before: datetime | None = None


ALERT, NOTICE = _Manner(Urgency.ALERT), _Manner(Urgency.NOTICE)
URGENCY_OF_NOTICES = {
    "low": Urgency.BULK,
    "normal": Urgency.NOTICE,
    "high": Urgency.REPLY,
    "critical": Urgency.ALERT,
}
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
class Rows:
    """What a batch inserts, all accepted at `now`; what all rows of a table have in common stands in `insert`."""

    now: datetime
    ids: Iterator[str]
    """They sort in the order of acceptance, within the batch too."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    with_extras: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, with the columns that most do not need."""
    unreached: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, of which nobody is told."""
    files: list[tuple[str, Sequence[NewFile]]] = field(default_factory=list)
    posts: dict[_Manner, list[dict[str, Any]]] = field(default_factory=dict)
    withheld_posts: dict[_Manner, list[dict[str, Any]]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    """Deliveries too, each with the reason."""
    events: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """Further lines of their timelines, which most do not have."""
    client_ids: list[dict[str, Any]] = field(default_factory=list)

    def add(self, new: NewMessage, way: Way) -> Accepted:
        """Add a message with all that belongs to it."""
        message_id = next(self.ids)
        told = [each for each in way.destinations if each.withheld is None]
        escalate_at, close_at = _deadlines(new, self.now, told)
        manner = self._add_message(new, message_id, escalate_at, close_at, is_told=bool(told))
        for each in way.destinations:
            self._add_delivery(message_id, each, manner)
        self._add_events(new, message_id)
        if way.absent or len(told) < len(way.destinations):
            self._add_remarks(message_id, way, is_told=bool(told))
        state = State.INITIATED if told else State.FAILED
        return Accepted(message_id, state, False, self.now, escalate_at, close_at)

    def _add_message(
        self,
        new: NewMessage,
        message_id: str,
        escalate_at: datetime | None,
        close_at: datetime | None,
        *,
        is_told: bool,
    ) -> _Manner:
        row = {
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
        if new.extras is None:
            if is_told:
                self.messages.append(row)
            else:
                self.unreached.append({**row, **_NO_EXTRAS})
            return ALERT if new.is_alert else NOTICE
        (self.with_extras if is_told else self.unreached).append({**row, **_extra_columns(new, new.extras, self.now)})
        return self._add_extras(message_id, new.extras, is_alert=new.is_alert)

    def _add_extras(self, message_id: str, extras: Extras, *, is_alert: bool) -> _Manner:
        if extras.files:
            self.files.append((message_id, extras.files))
        if extras.why_plain is not None:
            self._remark(message_id, EventKind.REFORMATTED, timeline.shown_plain(extras.why_plain))
        look = extras.look
        urgency = Urgency.ALERT if is_alert else URGENCY_OF_NOTICES[look.priority]
        return _Manner(urgency, look.silent or look.priority == "low", look.thread_id)

    def _add_delivery(self, message_id: str, destination: Destination, manner: _Manner) -> None:
        post_id, chat_id = next(self.ids), destination.chat.id
        delivery = {"message_id": message_id, "post_id": post_id, "chat_id": chat_id, "recipient": destination.name}
        post = {"id": post_id, "chat_id": chat_id}
        if destination.withheld is not None:
            self.withheld_posts.setdefault(manner, []).append(post)
            self.withheld.append({**delivery, "last_error": destination.withheld})
            return
        if destination.not_before is not None:
            manner = manner._replace(not_before=destination.not_before)
        self.posts.setdefault(manner, []).append(post)
        self.deliveries.append(delivery)

    def _add_events(self, new: NewMessage, message_id: str) -> None:
        self.events.append({"message_id": message_id, "actor": f"account:{new.account}"})
        if new.client_id is not None:
            key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
            self.client_ids.append({**key, "fingerprint": new.fingerprint})

    def _add_remarks(self, message_id: str, way: Way, *, is_told: bool) -> None:
        if way.absent:
            said = f"Not told, for want of a chat with the bot: {listed(way.absent)}."
            self._remark(message_id, EventKind.WITHDRAWN, said)
        reasons = [each.withheld.removesuffix(".") for each in way.destinations if each.withheld is not None]
        if reasons:
            self._remark(message_id, EventKind.WITHDRAWN, f"Withheld: {listed(reasons, '; ')}.")
        if not is_told:
            self._remark(message_id, EventKind.FAILED, "Nobody is left to be told.")

    def _remark(self, message_id: str, event: EventKind, detail: str) -> None:
        self.remarks.append({"message_id": message_id, "event": event, "detail": detail})

    def insert(self, session: Session) -> None:
        """Write all of it, and say what is due."""
        if not self.events:
            return
        self._insert_messages(session)
        self._insert_posts(session)
        self._insert_deliveries(session)
        now = self.now
        insert_rows(session, TimelineEvent, self.events, same={"event": EventKind.ACCEPTED, "at": now})
        insert_rows(session, TimelineEvent, self.remarks, same={"at": now, "actor": timeline.NOTIFYBOT})
        insert_rows(session, ClientId, self.client_ids, same={"expires_at": now + CLIENT_IDS_KEPT})
        noted = changes(session)
        kept = chain(self.messages, self.with_extras, self.unreached)
        deadlines = ("escalate_at", "close_at", "remind_at")
        for deadline in {row.get(name) for row in kept for name in deadlines}:
            noted.note_deadline(deadline)

    def _insert_messages(self, session: Session) -> None:
        underway = {"state": State.INITIATED, "created_at": self.now, "may_expire": False}
        insert_rows(session, Message, self.messages, same=underway)
        insert_rows(session, Message, self.with_extras, same=underway)
        failed = {"state": State.FAILED, "created_at": self.now, "may_expire": True}
        insert_rows(session, Message, self.unreached, same=failed)
        attachments.add(session, self.files)

    def _insert_posts(self, session: Session) -> None:
        for manner, posts in self.posts.items():
            due_at = manner.not_before or self.now
            outbox.queue(session, posts, manner.urgency, now=due_at, same=_same(manner, due_at))
        for manner, posts in self.withheld_posts.items():
            insert_rows(session, Post, posts, same={**_same(manner, self.now), "withdrawn_at": self.now})

    def _insert_deliveries(self, session: Session) -> None:
        same = {"purpose": Purpose.PRIMARY, "attempts": 0}
        insert_rows(session, Delivery, self.deliveries, same={**same, "status": DeliveryStatus.WAITING})
        insert_rows(session, Delivery, self.withheld, same={**same, "status": DeliveryStatus.WITHDRAWN})


def _same(manner: _Manner, due_at: datetime) -> dict[str, Any]:
    looks = {"is_silent": manner.is_silent, "thread_id": manner.thread_id}
    return {**outbox.due_now(manner.urgency, now=due_at), **looks}


def _extra_columns(new: NewMessage, extras: Extras, begins_at: datetime) -> dict[str, Any]:
    """What most messages do not have, in the order of _NO_EXTRAS. Its deadlines count from `begins_at`."""
    every = extras.remind_every if new.is_alert else None
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
        "remind_at": None if every is None else begins_at + every,
    }


def _deadlines(
    new: NewMessage, created_at: datetime, told: Collection[Destination]
) -> tuple[datetime | None, datetime | None]:
    """When an alert escalates and closes. It escalates at once where nobody is told, or every chat that is told is
    banned for longer than the alert may wait."""
    if not new.is_alert:
        return None, None
    close_at = None if new.close_after is None else created_at + new.close_after
    if new.escalate_after is None or (new.close_after is not None and new.escalate_after >= new.close_after):
        return None, close_at
    escalate_at = created_at + new.escalate_after
    if all(each.chat.held_until is not None and each.chat.held_until >= escalate_at for each in told):
        escalate_at = created_at
    return escalate_at, close_at
