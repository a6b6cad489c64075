"""Notify the admins of trouble with the connection to Telegram."""

import logging
from functools import partial

from notifybot.errors import Unavailable
from notifybot.messages.announce import HEALTH, Announcement, announce_to_admins
from notifybot.runtime import Runtime

log = logging.getLogger(__name__)


async def notify_of_connection(runtime: Runtime) -> None:
    """Pass the notices about the connection on to the admins, forever."""
    while True:
        notice = await runtime.telegram.notices.get()
        announcement = Announcement((), HEALTH, notice.content, notice.title)
        now = runtime.clock.now()
        announce = partial(announce_to_admins, announcement=announcement, directory=runtime.directory, now=now)
        try:
            await runtime.database.write(announce)
        except Unavailable:
            log.warning("the admins were not notified", extra={"action": "admins_not_notified", "title": notice.title})
