"""The runtime, and the single transaction of an update, for all handlers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session
from telegram import Chat, Update, User
from telegram.ext import ContextTypes

from notifybot.model import actors
from notifybot.model.actors import Actor
from notifybot.model.names import visible_name
from notifybot.posts import chats, replies
from notifybot.rendering.parts import Part
from notifybot.runtime import Runtime
from notifybot.telegram_api import update_store

T = TypeVar("T")
Context = ContextTypes.DEFAULT_TYPE


def runtime_of(context: Context) -> Runtime:
    runtime: Any = context.bot_data["runtime"]
    assert isinstance(runtime, Runtime)
    return runtime


def actor_of(who: User) -> Actor:
    return actors.by_telegram(who.id, who.full_name, who.username)


async def in_transaction(update: Update, context: Context, work: Callable[[Session], T]) -> T | None:
    """Run `work` and mark the update as handled, in one transaction. None if it was handled before.

    A chat that sends an update is reachable again.
    """
    runtime = runtime_of(context)
    now = runtime.clock.now()
    chat = update.effective_chat

    def do(session: Session) -> T | None:
        if not update_store.mark_handled(session, update.update_id, now=now):
            return None
        if chat is not None and update.my_chat_member is None:
            chats.note_answer(session, str(chat.id), str(chat.type))
            note_title(session, chat)
        return work(session)

    return await runtime.database.write(do)


def note_title(session: Session, chat: Chat) -> None:
    if title := visible_name(chat.effective_name, chat.username):
        chats.note_title(session, str(chat.id), title)


async def reply(update: Update, context: Context, part: Part) -> None:
    """Answer in the chat of the update."""
    now = runtime_of(context).clock.now()
    await in_transaction(update, context, lambda session: queue_answer(session, update, part, now=now))


def queue_answer(session: Session, update: Update, part: Part, *, now: datetime, post_id: str | None = None) -> None:
    """Queue a reply in the chat and topic of the update. `post_id`: see queue_reply."""
    chat, message = update.effective_chat, update.effective_message
    assert chat is not None
    thread_id = message.message_thread_id if message is not None and message.is_topic_message else None
    replies.queue_reply(session, str(chat.id), part, now=now, thread_id=thread_id, post_id=post_id)
