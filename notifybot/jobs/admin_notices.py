"""Notify the admins when notifybot itself is in trouble."""

import logging
from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot.errors import NotifybotError, Unavailable
from notifybot.messages.announce import JOBS, TELEGRAM, Announcement, announce
from notifybot.recipients.address import recipient_of
from notifybot.runtime import Runtime

log = logging.getLogger(__name__)


def notify_admins(
    session: Session, runtime: Runtime, *, title: str, content: str, now: datetime, source: str = JOBS
) -> None:
    """Announce to each admin separately, so that one without a chat does not keep it from the others."""
    for admin in runtime.config.admins:
        announcement = Announcement((recipient_of(admin),), source, content, title)
        answer = announce(session, announcement, runtime.directory, now=now)
        if isinstance(answer, NotifybotError):
            facts = {"action": "admin_not_notified", "admin": admin, "reason": answer.detail}
            log.warning("an admin cannot be notified", extra=facts)


async def notify_of_connection(runtime: Runtime) -> None:
    """Pass the notices about the connection to Telegram on to the admins, forever."""
    while True:
        notice = await runtime.telegram.notices.get()
        now = runtime.clock.now()
        notify = partial(
            notify_admins, runtime=runtime, title=notice.title, content=notice.content, now=now, source=TELEGRAM
        )
        try:
            await runtime.database.write(notify)
        except Unavailable:
            log.warning("the admins were not notified", extra={"action": "admin_not_notified", "title": notice.title})
