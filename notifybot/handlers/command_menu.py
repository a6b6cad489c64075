"""Command menus of the Telegram apps, for private chats and for groups."""

import logging
from datetime import timedelta

from telegram import Bot, BotCommandScopeAllGroupChats, BotCommandScopeAllPrivateChats
from telegram.error import TelegramError

from notifybot.system.logs import redact
from notifybot.telegram_api.polling import TelegramConnection
from notifybot.times.clock import Clock

PRIVATE = {
    "open": "list open alerts",
    "oncall": "see who is on call, or take over",
    "status": "show your linked account and settings",
    "settings": "change time zone, daily summary, quiet hours",
    "mute": "mute notices for a while: /mute 1h",
    "start": "subscribe, and get a link code",
    "unlink": "unlink your account from this chat",
    "help": "list the commands",
}
GROUPS = {
    "open": "list open alerts",
    "oncall": "see who is on call, or take over",
    "start": "show the id of this chat",
    "help": "list the commands",
}
RETRY_AFTER = timedelta(minutes=10)
log = logging.getLogger(__name__)


async def publish(bot: Bot, link: TelegramConnection, clock: Clock) -> None:
    """Set the menus once Telegram is reachable, and retry until it accepts them."""
    await link.caught_up.wait()
    while not await _publish_once(bot):
        await clock.sleep_until(clock.now() + RETRY_AFTER)


async def _publish_once(bot: Bot) -> bool:
    try:
        await bot.set_my_commands(list(PRIVATE.items()), scope=BotCommandScopeAllPrivateChats())
        await bot.set_my_commands(list(GROUPS.items()), scope=BotCommandScopeAllGroupChats())
    except TelegramError as error:
        facts = {"action": "commands_refused", "reason": redact(str(error))}
        log.warning("Telegram refused the command menu", extra=facts)
        return False
    return True
