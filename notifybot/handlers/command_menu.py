"""The list of commands that Telegram's apps offer, for private chats and for groups."""

import logging
from datetime import timedelta

from telegram import Bot, BotCommandScopeAllGroupChats, BotCommandScopeAllPrivateChats
from telegram.error import TelegramError

from notifybot.system.logs import redact
from notifybot.telegram_api.polling import TelegramConnection
from notifybot.times.clock import Clock

PRIVATE = {
    "open": "alerts that wait for an answer",
    "oncall": "who is on call, and taking over",
    "status": "how you are linked, and what you chose",
    "settings": "time zone, daily summary, quiet hours",
    "mute": "no notices for a while: /mute 1h",
    "start": "subscribe, and get a code to link your account",
    "unlink": "take your account from this chat",
    "help": "what I understand",
}
GROUPS = {
    "open": "alerts that wait for an answer",
    "oncall": "who is on call, and taking over",
    "start": "the id of this chat",
    "help": "what I understand",
}
RETRY_AFTER = timedelta(minutes=10)
log = logging.getLogger(__name__)


async def publish(bot: Bot, link: TelegramConnection, clock: Clock) -> None:
    """Tell Telegram the commands once it is there. Where it does not take them, nothing else suffers."""
    await link.caught_up.wait()
    while not await _publish_once(bot):
        await clock.sleep_until(clock.now() + RETRY_AFTER)


async def _publish_once(bot: Bot) -> bool:
    try:
        await bot.set_my_commands(list(PRIVATE.items()), scope=BotCommandScopeAllPrivateChats())
        await bot.set_my_commands(list(GROUPS.items()), scope=BotCommandScopeAllGroupChats())
    except TelegramError as error:
        facts = {"action": "commands_refused", "reason": redact(str(error))}
        log.warning("Telegram did not take the list of commands", extra=facts)
        return False
    return True
