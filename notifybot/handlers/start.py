"""/start: the person is subscribed, and told the ids that others need to reach them."""

from sqlmodel import Session
from telegram import Update

from notifybot import people
from notifybot.handlers import texts
from notifybot.handlers.turn import Context, queue_answer, reply, runtime_of, take


async def start(update: Update, context: Context) -> None:
    """In a private chat: subscribe, and show user_id and chat_id."""
    user, chat = update.effective_user, update.effective_chat
    assert user is not None
    assert chat is not None
    name = user.username or user.first_name
    now = runtime_of(context).clock.now()

    def subscribe(session: Session) -> None:
        person, is_new = people.subscribe(session, str(chat.id), name, now=now)
        part = texts.welcome(person.user_id, person.chat_id, is_new=is_new)
        queue_answer(session, update, part, now=now)

    await take(update, context, subscribe)


async def start_in_group(update: Update, context: Context) -> None:
    """In a group nobody is subscribed; its id is what a caller needs."""
    chat = update.effective_chat
    assert chat is not None
    await reply(update, context, texts.group_id(str(chat.id)))
