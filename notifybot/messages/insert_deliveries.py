"""Insert the posts and deliveries of messages, and note who is not notified."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from notifybot.model import actors
from notifybot.model.chats import Post
from notifybot.model.enums import DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.model.messages import Delivery, TimelineEvent
from notifybot.posts import posts as posts_posts
from notifybot.recipients import resolve
from notifybot.recipients.resolve import Destination, Resolved
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance
from notifybot.storage.statements import insert_rows

URGENCY_OF_NOTICES = {
    "low": Urgency.BULK,
    "normal": Urgency.NOTICE,
    "high": Urgency.REPLY,
    "critical": Urgency.ALERT,
}


class _SendOptions(NamedTuple):
    """How posts are sent. `not_before`: not before their reader's quiet hours end."""

    urgency: Urgency
    is_silent: bool = False
    thread_id: int | None = None
    not_before: datetime | None = None


_DEFAULTS = {True: _SendOptions(Urgency.ALERT), False: _SendOptions(Urgency.NOTICE)}


@dataclass
class DeliveryRows:
    """What messages that go out at `now` insert beside themselves; what all rows of a table have in common stands in
    `insert`."""

    now: datetime
    ids: Iterator[str]
    posts: dict[_SendOptions, list[dict[str, Any]]] = field(default_factory=dict)
    withheld_posts: dict[_SendOptions, list[dict[str, Any]]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    """Deliveries too, each with the reason."""
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """Lines of their timelines, which most do not have."""

    def add(self, message_id: str, way: Resolved, look: Appearance, *, is_alert: bool) -> None:
        """Add the deliveries of a message, and say in its timeline who is not told."""
        manner = _send_options(look, is_alert=is_alert)
        told = 0
        for each in way.destinations:
            told += self._add_delivery(message_id, each, manner)
        if way.absent or way.vacant or told < len(way.destinations):
            for said in resolve.not_notified(way):
                self.remark(message_id, EventKind.WITHDRAWN, said)
        if not told:
            self.remark(message_id, EventKind.FAILED, "Nobody is left to be told.")

    def _add_delivery(self, message_id: str, destination: Destination, manner: _SendOptions) -> bool:
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
            posts_posts.queue(session, posts, manner.urgency, now=due_at, same=_common_columns(manner, due_at))
        for manner, posts in self.withheld_posts.items():
            insert_rows(session, Post, posts, same={**_common_columns(manner, self.now), "withdrawn_at": self.now})
        same = {"purpose": Purpose.PRIMARY, "attempts": 0}
        insert_rows(session, Delivery, self.deliveries, same={**same, "status": DeliveryStatus.WAITING})
        insert_rows(session, Delivery, self.withheld, same={**same, "status": DeliveryStatus.WITHDRAWN})
        insert_rows(session, TimelineEvent, self.remarks, same={"at": self.now, "actor": actors.NOTIFYBOT})


def _send_options(look: Appearance, *, is_alert: bool) -> _SendOptions:
    if look is DEFAULT_APPEARANCE:
        return _DEFAULTS[is_alert]
    urgency = Urgency.ALERT if is_alert else URGENCY_OF_NOTICES[look.priority]
    return _SendOptions(urgency, look.silent or look.priority == "low", look.thread_id)


def _common_columns(manner: _SendOptions, due_at: datetime) -> dict[str, Any]:
    looks = {"is_silent": manner.is_silent, "thread_id": manner.thread_id}
    return {**posts_posts.due_now(manner.urgency, now=due_at), **looks}
