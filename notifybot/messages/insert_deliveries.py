"""Insert the posts and deliveries of messages, and note in their timelines who is not notified."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from notifybot.messages.priority import SendOptions, send_options
from notifybot.model import actors
from notifybot.model.chats import Post
from notifybot.model.enums import DeliveryStatus, EventKind, Purpose
from notifybot.model.messages import Delivery, TimelineEvent
from notifybot.posts import posts as posts_posts
from notifybot.recipients import resolve
from notifybot.recipients.resolve import Destination, Resolved
from notifybot.rendering.parts import Appearance
from notifybot.storage.statements import insert_rows


@dataclass
class DeliveryRows:
    """Posts, deliveries and timeline lines of messages sent at `now`, collected by `add` and written by `insert`."""

    now: datetime
    ids: Iterator[str]
    posts: dict[SendOptions, list[dict[str, Any]]] = field(default_factory=dict)
    withheld_posts: dict[SendOptions, list[dict[str, Any]]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    """Deliveries to people who muted the bot, each with the reason."""
    timeline_lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, message_id: str, resolved: Resolved, look: Appearance, *, is_alert: bool, caller: str) -> None:
        """Add the deliveries of a message from `caller`, and lines for those who are not notified."""
        options = send_options(look, is_alert=is_alert)
        notified = sum(self._add_delivery(message_id, each, options, caller) for each in resolved.destinations)
        if not resolved.is_complete or notified < len(resolved.destinations):
            for sentence in resolve.not_notified(resolved):
                self.note(message_id, EventKind.WITHDRAWN, sentence)
        if not notified:
            self.note(message_id, EventKind.FAILED, "Nobody was notified.")

    def _add_delivery(self, message_id: str, destination: Destination, options: SendOptions, caller: str) -> bool:
        """Return False if the delivery is withheld."""
        post_id, chat_id = next(self.ids), destination.chat.id
        delivery = {"message_id": message_id, "post_id": post_id, "chat_id": chat_id, "recipient": destination.name}
        post = {"id": post_id, "chat_id": chat_id, "caller": caller}
        if destination.thread_id is not None:
            options = options._replace(thread_id=destination.thread_id)
        if destination.withheld is not None:
            self.withheld_posts.setdefault(options, []).append(post)
            self.withheld.append({**delivery, "last_error": destination.withheld})
            return False
        if destination.not_before is not None:
            options = options._replace(not_before=destination.not_before)
        self.posts.setdefault(options, []).append(post)
        self.deliveries.append(delivery)
        return True

    def note(self, message_id: str, event: EventKind, detail: str | None = None) -> None:
        """Add a line to the timeline of a message."""
        self.timeline_lines.append({"message_id": message_id, "event": event, "detail": detail})

    def insert(self, session: Session) -> None:
        """Write all rows. The messages exist already."""
        for options, posts in self.posts.items():
            due_at = options.not_before or self.now
            posts_posts.queue(session, posts, options.urgency, now=due_at, same=_post_columns(options, due_at))
        for options, posts in self.withheld_posts.items():
            insert_rows(session, Post, posts, same={**_post_columns(options, self.now), "withdrawn_at": self.now})
        same = {"purpose": Purpose.PRIMARY, "attempts": 0}
        insert_rows(session, Delivery, self.deliveries, same={**same, "status": DeliveryStatus.WAITING})
        insert_rows(session, Delivery, self.withheld, same={**same, "status": DeliveryStatus.WITHDRAWN})
        insert_rows(session, TimelineEvent, self.timeline_lines, same={"at": self.now, "actor": actors.NOTIFYBOT})


def _post_columns(options: SendOptions, due_at: datetime) -> dict[str, Any]:
    columns = {"is_silent": options.is_silent, "thread_id": options.thread_id}
    return {**posts_posts.due_now(options.urgency, now=due_at), **columns}
