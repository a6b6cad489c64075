"""Button presses: apply first, then reply with one sentence while Telegram still accepts it."""

from functools import partial

from telegram import CallbackQuery, Update

from notifybot.alerts import press as alerts_press
from notifybot.alerts.press import PressedButton, PressRules
from notifybot.config.model import AcknowledgeBy
from notifybot.handlers import oncall, settings, texts
from notifybot.handlers.transaction import Context, actor_of, in_transaction, runtime_of
from notifybot.rendering.buttons import OnCallPress, SettingPress, read_callback_data
from notifybot.runtime import Runtime


async def press(update: Update, context: Context) -> None:
    query = update.callback_query
    assert query is not None
    meaning = read_callback_data(query.data or "")
    match meaning:
        case SettingPress():
            sentence = await settings.press(update, context, meaning)
        case OnCallPress():
            sentence = await oncall.press(update, context, meaning)
        case _:
            sentence = await _answer(update, context, query)
    if sentence is not None:
        await runtime_of(context).sender.answer_press(query.id, sentence)


async def _answer(update: Update, context: Context, query: CallbackQuery) -> str | None:
    runtime = runtime_of(context)
    pressed = _read(query)
    if pressed is None:
        return await in_transaction(update, context, lambda _: texts.UNKNOWN_BUTTON)
    rules, now = _rules(runtime), runtime.clock.now()
    return await in_transaction(update, context, partial(alerts_press.press, pressed=pressed, rules=rules, now=now))


def _read(query: CallbackQuery) -> PressedButton | None:
    meaning = read_callback_data(query.data or "")
    if meaning is None or isinstance(meaning, SettingPress | OnCallPress) or query.message is None:
        return None
    # An old message comes as inaccessible, but still with its chat and id.
    return PressedButton(meaning, str(query.message.chat.id), query.message.message_id, actor_of(query.from_user))


def _rules(runtime: Runtime) -> PressRules:
    alerts = runtime.config.alerts
    only_linked = alerts.acknowledge_by is AcknowledgeBy.LINKED
    return PressRules(runtime.directory, only_linked, alerts.close_on_acknowledge, alerts.snooze)
