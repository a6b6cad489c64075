"""Topics that take no posts: their messages go to the chat itself."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from notifybot.posts import chat_troubles, chats
from notifybot.rendering.parts import Call, Send


def open_topic(session: Session, chat_id: str, thread_id: int | None, *, now: datetime) -> int | None:
    """Return the topic, unless it takes no posts: the chat itself is better than nothing."""
    if thread_id is None or not chat_troubles.takes_posts(session, chat_id, thread_id, now=now):
        return None
    return thread_id


def note_accepted(session: Session, post: Any, call: Call | None) -> None:
    """Record that a topic takes posts. Outside of topics, only a chat that was unreachable can have refused them."""
    if not isinstance(call, Send):
        return
    if call.thread_id is not None:
        chat_troubles.note_topic_open(session, post.chat_id, call.thread_id)
    elif post.unreachable is not None:
        chat_troubles.note_topic_open(session, post.chat_id, chat_troubles.GENERAL)


def note_refused(session: Session, post: Any, call: Call | None, reason: str, *, now: datetime) -> bool:
    """Record that a topic takes no posts. Return False if the chat itself takes none either."""
    if not isinstance(call, Send):
        return False
    thread_id = chat_troubles.GENERAL if call.thread_id is None else call.thread_id
    chat_troubles.note_topic_refused(session, post.chat_id, thread_id, reason, now=now)
    if call.thread_id is None:
        chats.mark_unreachable(session, post.chat_id, reason)
    return call.thread_id is not None


def where_shown(post: Any, call: Call | None) -> str:
    """Return the detail of the timeline's line about a post that is shown."""
    if post.thread_id is not None and isinstance(call, Send) and call.thread_id is None:
        return f"To {post.chat_id} itself: its topic {post.thread_id} takes no posts."
    return f"To {place_of(post)}."


def place_of(post: Any) -> str:
    """Return the chat of a post, with its topic, as callers write it."""
    return str(post.chat_id) if post.thread_id is None else f"{post.chat_id}:{post.thread_id}"
