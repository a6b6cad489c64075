"""What becomes of chats: the bot is blocked, removed, let in again; a group becomes a supergroup."""

from sqlmodel import Session
from telegram import ChatMember, Update

from notifybot import chats
from notifybot.handlers.turn import Context, runtime_of, take

OUTSIDE = {ChatMember.LEFT: "the bot is not a member of this chat", ChatMember.BANNED: "the bot was blocked or removed"}


async def membership(update: Update, context: Context) -> None:
    change = update.my_chat_member
    assert change is not None
    chat_id, kind = str(change.chat.id), str(change.chat.type)
    reason = OUTSIDE.get(change.new_chat_member.status)

    def note(session: Session) -> None:
        if reason is None:
            chats.note_answer(session, chat_id, kind)
        else:
            chats.mark_unreachable(session, chat_id, reason)

    await take(update, context, note)


async def moved(update: Update, context: Context) -> None:
    """Both chats tell of a move, the old one where to, the new one where from; either is enough."""
    message = update.effective_message
    assert message is not None
    now = runtime_of(context).clock.now()
    old, new = message.chat.id, message.migrate_to_chat_id
    if message.migrate_from_chat_id is not None:
        old, new = message.migrate_from_chat_id, message.chat.id

    def follow(session: Session) -> None:
        chats.ensure(session, {str(old)})
        chats.move(session, str(old), str(new), now=now)

    await take(update, context, follow)
