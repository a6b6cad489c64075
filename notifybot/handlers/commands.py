"""/help, /status, /open, /unlink, and everything that is not a command."""

from sqlmodel import Session
from telegram import Chat, Update

from notifybot.handlers import command_menu, settings, settings_screens, texts
from notifybot.handlers.transaction import Context, actor_of, in_transaction, queue_answer, reply, runtime_of
from notifybot.messages import queries
from notifybot.people import linking, preferences

MAX_SHOWN = 10
MAX_COUNTED = 100


async def help_(update: Update, context: Context) -> None:
    chat = update.effective_chat
    assert chat is not None
    await reply(update, context, texts.HELP if chat.type == Chat.PRIVATE else texts.GROUP_HELP)


async def open_(update: Update, context: Context) -> None:
    """List the open alerts of this chat, each with its own button."""
    chat = update.effective_chat
    assert chat is not None
    now = runtime_of(context).clock.now()

    def show(session: Session) -> None:
        waiting = queries.open_alerts(session, str(chat.id), limit=MAX_SHOWN + 1)
        queue_answer(session, update, texts.open_alerts(waiting, most=MAX_SHOWN, now=now), now=now)

    await in_transaction(update, context, show)


async def status(update: Update, context: Context) -> None:
    """Show the linked account, the settings, and the number of unacknowledged alerts."""
    chat, runtime = update.effective_chat, runtime_of(context)
    assert chat is not None
    now = runtime.clock.now()

    def show(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if person is None:
            queue_answer(session, update, texts.START_FIRST, now=now)
            return
        found = queries.open_alerts(session, str(chat.id), limit=MAX_COUNTED)
        waiting = sum(alert.acknowledged_at is None for alert in found)
        chosen = settings_screens.chosen(settings.screen_of(runtime, person))
        queue_answer(session, update, texts.status(person, chosen, waiting, most=MAX_COUNTED), now=now)

    await in_transaction(update, context, show)


async def unlink(update: Update, context: Context) -> None:
    """Unlink the account from this chat, which stays subscribed."""
    user, chat = update.effective_user, update.effective_chat
    assert user is not None
    assert chat is not None
    now = runtime_of(context).clock.now()

    def undo(session: Session) -> None:
        account = linking.unlink(session, chat_id=str(chat.id), actor=actor_of(user), now=now)
        part = texts.NOT_LINKED if account is None else texts.unlinked(account)
        queue_answer(session, update, part, now=now)

    await in_transaction(update, context, undo)


async def only_in_private(update: Update, context: Context) -> None:
    """Refuse a private command in a group, but only if it names this bot: others may share the command."""
    message = update.effective_message
    assert message is not None
    command = (message.text or "").split(maxsplit=1)[0]
    if "@" in command:
        await reply(update, context, texts.IN_PRIVATE)
    else:
        await ignore(update, context)


async def unknown(update: Update, context: Context) -> None:
    """Point to /start; somebody who is linked gets the list of commands."""
    chat, message, now = update.effective_chat, update.effective_message, runtime_of(context).clock.now()
    assert chat is not None
    assert message is not None
    word = (message.text or message.caption or "").split(maxsplit=1)[0]

    def answer(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        is_linked = person is not None and person.account is not None
        part = texts.no_such_command(word, command_menu.PRIVATE) if is_linked else texts.UNKNOWN_COMMAND
        queue_answer(session, update, part, now=now)

    await in_transaction(update, context, answer)


async def not_a_command(update: Update, context: Context) -> None:
    """Offer to change a setting if the text reads like one."""
    chat, message, runtime = update.effective_chat, update.effective_message, runtime_of(context)
    assert chat is not None
    assert message is not None
    setting, now = settings.read_as_setting(message.text or ""), runtime.clock.now()

    def answer(session: Session) -> None:
        person = preferences.of_chat(session, str(chat.id))
        if setting is None or person is None:
            queue_answer(session, update, texts.NOT_A_COMMAND, now=now)
        else:
            settings.offer(session, settings.screen_of(runtime, person), setting)

    await in_transaction(update, context, answer)


async def ignore(update: Update, context: Context) -> None:
    """Mark an update that needs no reply as handled."""
    await in_transaction(update, context, lambda _: None)
