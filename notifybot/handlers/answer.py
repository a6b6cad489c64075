"""A pressed button: counted first, then answered with one sentence while Telegram still takes it."""

from functools import partial

from telegram import CallbackQuery, Update

from notifybot import answers, messages
from notifybot.answers import Press
from notifybot.formatting import read_callback_data
from notifybot.handlers.turn import Context, runtime_of, take

UNKNOWN = "This button is not notifybot's any more."


async def press(update: Update, context: Context) -> None:
    query = update.callback_query
    assert query is not None
    runtime = runtime_of(context)
    pressed = _read(query)
    if pressed is None:
        sentence = await take(update, context, lambda _: UNKNOWN)
    else:
        sentence = await take(update, context, partial(answers.press, pressed=pressed, now=runtime.clock.now()))
    if sentence is not None:
        await runtime.sender.answer_press(query.id, sentence)


def _read(query: CallbackQuery) -> Press | None:
    meant = read_callback_data(query.data or "")
    if meant is None or query.message is None:
        return None
    who = query.from_user
    actor = messages.by_telegram(who.id, who.full_name, who.username)
    # An old message comes as inaccessible; it still says where it stands.
    return Press(meant, str(query.message.chat.id), query.message.message_id, actor)
