"""Load a post as it should look now, from its row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from notifybot.delivery import topics
from notifybot.messages import attachments
from notifybot.messages.attachments import NO_FILES
from notifybot.model import actors
from notifybot.model.chats import Post
from notifybot.model.enums import AsText, MediaKind, Purpose
from notifybot.model.messages import Delivery, Message
from notifybot.rendering.parts import Appearance, Entity, Part, PartDigest, PostButton
from notifybot.rendering.views import MessageView, PostView, ShownPart
from notifybot.storage.statements import table_of

POSTS, DELIVERIES, MESSAGES = table_of(Post), table_of(Delivery), table_of(Message)
_POST_COLUMNS = (
    "id",
    "chat_id",
    "urgency",
    "version",
    "is_silent",
    "as_text",
    "files_follow",
    "is_reminder",
    "superseded_at",
    "thread_id",
    "reply",
    "shown",
)
_MESSAGE_COLUMNS = (
    "id",
    "state",
    "is_alert",
    "title",
    "content",
    "source",
    "account",
    "data",
    "look",
    "file_count",
    "repeats",
    "repeated_at",
)
_ESCALATION_COLUMNS = ("steps_left", "escalate_at")
_SNOOZE_COLUMNS = ("snoozed_until", "snoozed_by", "unacknowledged_at", "unacknowledged_by")
_TIME_COLUMNS = (
    "created_at",
    "send_at",
    "escalated_at",
    "acknowledged_at",
    "acknowledged_by",
    "closed_at",
    "resolved_at",
)
COLUMNS = (
    *(POSTS.c[name] for name in _POST_COLUMNS),
    *(DELIVERIES.c[name] for name in ("purpose", "shown_at")),
    *(MESSAGES.c[name] for name in (*_MESSAGE_COLUMNS, *_TIME_COLUMNS, *_SNOOZE_COLUMNS, *_ESCALATION_COLUMNS)),
)
"""The columns that `load_post` reads, labelled with table and name."""


def load_post(session: Session, row: Any, *, now: datetime) -> PostView:
    """Return the post as it should look now; `row` has COLUMNS."""
    return PostView(
        id=row.posts_id,
        chat_id=row.posts_chat_id,
        version=row.posts_version,
        is_silent=row.posts_is_silent,
        thread_id=topics.open_topic(session, row.posts_chat_id, row.posts_thread_id, now=now),
        shown=tuple(ShownPart(tuple(ids), digest) for digest, *ids in row.posts_shown),
        reply=None if row.posts_reply is None else _reply(row.posts_reply),
        message=None if row.messages_id is None else _message(session, row, now=now),
        as_text=AsText(row.posts_as_text),
        files_follow=row.posts_files_follow,
    )


def _message(session: Session, row: Any, *, now: datetime) -> MessageView:
    files = (
        attachments.files_of(session, row.messages_id, _shown_files(row.posts_shown))
        if row.messages_file_count
        else NO_FILES
    )
    return MessageView(
        id=row.messages_id,
        state=row.messages_state,
        is_alert=row.messages_is_alert,
        is_escalation=row.deliveries_purpose is Purpose.ESCALATION,
        title=row.messages_title,
        content=row.messages_content,
        source=row.messages_source,
        account=row.messages_account,
        host=_host(row.messages_data),
        created_at=row.messages_send_at or row.messages_created_at,
        shown_at=row.deliveries_shown_at or now,
        escalated_at=row.messages_escalated_at,
        acknowledged_at=row.messages_acknowledged_at,
        acknowledged_by=_name(row.messages_acknowledged_by),
        closed_at=row.messages_closed_at,
        resolved_at=row.messages_resolved_at,
        look=Appearance.of(row.messages_look),
        media=files.media,
        missing=files.missing,
        to_fetch=files.to_fetch,
        repeats=row.messages_repeats,
        repeated_at=row.messages_repeated_at,
        snoozed_until=row.messages_snoozed_until,
        snoozed_by=_name(row.messages_snoozed_by),
        unacknowledged_at=row.messages_unacknowledged_at,
        unacknowledged_by=_name(row.messages_unacknowledged_by),
        is_reminder=row.posts_is_reminder,
        is_superseded=row.posts_superseded_at is not None,
        may_escalate=row.messages_steps_left > 0 and row.messages_escalate_at is not None,
    )


def _host(data: Mapping[str, Any] | None) -> str | None:
    """Return `data.host`, the name that callers commonly give to the machine an alert is about."""
    host = None if data is None else data.get("host")
    return host if isinstance(host, str) else None


def _name(who: Mapping[str, Any] | None) -> str | None:
    return None if who is None else actors.name_of(who)


def _shown_files(shown: Sequence[Sequence[Any]]) -> dict[int, MediaKind]:
    """Return the files that the chat shows already, and as what."""
    parts = [PartDigest.parse(digest) for digest, *_ in shown]
    return {file: MediaKind(part.substance) for part in parts if part.substance for file in part.files}


def _reply(stored: Mapping[str, Any]) -> Part:
    """Read a reply as posts.replies.queue_reply stores it."""
    return Part(
        stored["text"],
        tuple(Entity(**entity) for entity in stored["entities"]),
        tuple(tuple(PostButton(**button) for button in row) for row in stored["buttons"]),
    )
