"""/help, /open, and what is no command of ours."""

from sqlmodel import Session
from telegram import Update

from notifybot import answers
from notifybot.handlers import texts
from notifybot.handlers.turn import Context, queue_answer, reply, runtime_of, take

MOST_SHOWN = 10


async def help_(update: Update, context: Context) -> None:
    await reply(update, context, texts.HELP)


async def open_(update: Update, context: Context) -> None:
    """The open alerts of this chat, each with its own button."""
    chat = update.effective_chat
    assert chat is not None
    now = runtime_of(context).clock.now()

    def show(session: Session) -> None:
        waiting = answers.open_alerts(session, str(chat.id), most=MOST_SHOWN + 1)
        queue_answer(session, update, texts.open_alerts(waiting, most=MOST_SHOWN, now=now), now=now)

    await take(update, context, show)


async def unknown(update: Update, context: Context) -> None:
    await reply(update, context, texts.UNKNOWN_COMMAND)


async def not_a_command(update: Update, context: Context) -> None:
    await reply(update, context, texts.NOT_A_COMMAND)


async def ignore(update: Update, context: Context) -> None:
    """Take out of the inbox what needs no answer."""
    await take(update, context, lambda _: None)
