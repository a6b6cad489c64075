"""Where messages go → rows: posts and deliveries, and who is not told, in few statements for many messages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from notifybot import outbox, routing, timeline
from notifybot.kinds import DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.models import Delivery, Post, TimelineEvent
from notifybot.prepared import insert_rows
from notifybot.rendering import USUAL, Look
from notifybot.routing import Destination, Way

URGENCY_OF_NOTICES = {
    "low": Urgency.BULK,
    "normal": Urgency.NOTICE,
    "high": Urgency.REPLY,
    "critical": Urgency.ALERT,
}


class _Manner(NamedTuple):
    """How posts are sent. `not_before`: not before their reader's quiet hours end."""

    urgency: Urgency
    is_silent: bool = False
    thread_id: int | None = None
    not_before: datetime | None = None


_USUAL = {True: _Manner(Urgency.ALERT), False: _Manner(Urgency.NOTICE)}


@dataclass
class DeliveryRows:
    """What messages that go out at `now` insert beside themselves; what all rows of a table have in common stands in
    `insert`."""

    now: datetime
    ids: Iterator[str]
    posts: dict[_Manner, list[dict[str, Any]]] = field(default_factory=dict)
    withheld_posts: dict[_Manner, list[dict[str, Any]]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    """Deliveries too, each with the reason."""
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """Lines of their timelines, which most do not have."""

    def add(self, message_id: str, way: Way, look: Look, *, is_alert: bool) -> None:
        """Add the deliveries of a message, and say in its timeline who is not told."""
        manner = _manner(look, is_alert=is_alert)
        told = 0
        for each in way.destinations:
            told += self._add_delivery(message_id, each, manner)
        if way.absent or way.vacant or told < len(way.destinations):
            for said in routing.untold(way):
                self.remark(message_id, EventKind.WITHDRAWN, said)
        if not told:
            self.remark(message_id, EventKind.FAILED, "Nobody is left to be told.")

    def _add_delivery(self, message_id: str, destination: Destination, manner: _Manner) -> bool:
        """Whether its reader is told."""
        post_id, chat_id = next(self.ids), destination.chat.id
        delivery = {"message_id": message_id, "post_id": post_id, "chat_id": chat_id, "recipient": destination.name}
        post = {"id": post_id, "chat_id": chat_id}
        if destination.withheld is not None:
            self.withheld_posts.setdefault(manner, []).append(post)
            self.withheld.append({**delivery, "last_error": destination.withheld})
            return False
        if destination.not_before is not None:
            manner = manner._replace(not_before=destination.not_before)
        self.posts.setdefault(manner, []).append(post)
        self.deliveries.append(delivery)
        return True

    def remark(self, message_id: str, event: EventKind, detail: str | None = None) -> None:
        self.remarks.append({"message_id": message_id, "event": event, "detail": detail})

    def insert(self, session: Session) -> None:
        """Write all of it; the messages are there already."""
        for manner, posts in self.posts.items():
            due_at = manner.not_before or self.now
            outbox.queue(session, posts, manner.urgency, now=due_at, same=_same(manner, due_at))
        for manner, posts in self.withheld_posts.items():
            insert_rows(session, Post, posts, same={**_same(manner, self.now), "withdrawn_at": self.now})
        same = {"purpose": Purpose.PRIMARY, "attempts": 0}
        insert_rows(session, Delivery, self.deliveries, same={**same, "status": DeliveryStatus.WAITING})
        insert_rows(session, Delivery, self.withheld, same={**same, "status": DeliveryStatus.WITHDRAWN})
        insert_rows(session, TimelineEvent, self.remarks, same={"at": self.now, "actor": timeline.NOTIFYBOT})


def _manner(look: Look, *, is_alert: bool) -> _Manner:
    if look is USUAL:
        return _USUAL[is_alert]
    urgency = Urgency.ALERT if is_alert else URGENCY_OF_NOTICES[look.priority]
    return _Manner(urgency, look.silent or look.priority == "low", look.thread_id)


def _same(manner: _Manner, due_at: datetime) -> dict[str, Any]:
    looks = {"is_silent": manner.is_silent, "thread_id": manner.thread_id}
    return {**outbox.due_now(manner.urgency, now=due_at), **looks}
