"""Changes of chats: the bot is added, blocked or removed; a group becomes a supergroup; a topic is reopened."""

from sqlmodel import Session
from telegram import Chat, ChatMember, ChatMemberAdministrator, ChatMemberRestricted, ChatMemberUpdated, Update
from telegram.constants import ChatID

from notifybot.handlers import texts
from notifybot.handlers.transaction import Context, in_transaction, note_title, runtime_of
from notifybot.people import preferences
from notifybot.posts import chat_troubles, chats, replies

OUTSIDE = {ChatMember.LEFT: "the bot is not a member of this chat", ChatMember.BANNED: "the bot was blocked or removed"}


async def membership(update: Update, context: Context) -> None:
    """Record if the chat is reachable, and send its id to the person who added the bot."""
    change = update.my_chat_member
    assert change is not None
    now = runtime_of(context).clock.now()
    chat_id = str(change.chat.id)
    reason = OUTSIDE.get(change.new_chat_member.status)

    def note(session: Session) -> None:
        chats.ensure(session, {chat_id})
        note_title(session, change.chat)
        if reason is not None:
            chats.mark_unreachable(session, chat_id, reason)
            return
        chats.note_answer(session, chat_id, str(change.chat.type))
        chat_troubles.try_topics_again(session, chat_id, now=now)
        if _gained_access(change) and (target := _chat_to_notify(session, change)) is not None:
            may_write = _may_write(change.new_chat_member, change.chat)
            part = texts.joined(change.chat, is_here=target == chat_id, may_write=may_write)
            replies.queue_reply(session, target, part, now=now)

    await in_transaction(update, context, note)


def _gained_access(change: ChatMemberUpdated) -> bool:
    """Return True if the bot joined a group or channel, or has just gained the right to post."""
    if change.chat.type == Chat.PRIVATE:
        return False
    was_outside = change.old_chat_member.status in OUTSIDE
    before, after = (_may_write(member, change.chat) for member in (change.old_chat_member, change.new_chat_member))
    return was_outside or (after and not before)


def _may_write(member: ChatMember, chat: Chat) -> bool:
    match member:
        case ChatMemberAdministrator() if chat.type == Chat.CHANNEL:
            return bool(member.can_post_messages)
        case ChatMemberRestricted():
            return member.is_member and member.can_send_messages
    return member.status not in OUTSIDE and chat.type != Chat.CHANNEL


def _chat_to_notify(session: Session, change: ChatMemberUpdated) -> str | None:
    """Return the private chat of the person who added the bot, else the chat itself if the bot may post there."""
    if preferences.of_chat(session, str(change.from_user.id)) is not None:
        return str(change.from_user.id)
    is_anybody = change.from_user.id != ChatID.SERVICE_CHAT
    return str(change.chat.id) if is_anybody and _may_write(change.new_chat_member, change.chat) else None


async def moved(update: Update, context: Context) -> None:
    """Record that a group became a supergroup; both chats report it, and either report is enough."""
    message = update.effective_message
    assert message is not None
    old, new = message.chat.id, message.migrate_to_chat_id
    if message.migrate_from_chat_id is not None:
        old, new = message.migrate_from_chat_id, message.chat.id

    def follow(session: Session) -> None:
        chats.ensure(session, {str(old)})
        chats.move(session, str(old), str(new))

    await in_transaction(update, context, follow)


async def topic_reopened(update: Update, context: Context) -> None:
    """Record that a topic takes posts again."""
    chat, message = update.effective_chat, update.effective_message
    assert chat is not None
    assert message is not None
    chat_id, thread_id = str(chat.id), message.message_thread_id or chat_troubles.GENERAL
    await in_transaction(update, context, lambda session: chat_troubles.note_topic_open(session, chat_id, thread_id))
