"""Send notifybot's own messages: summaries, on-call notices, job failures."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages import accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.actors import NOTIFYBOT
from notifybot.recipients.address import Recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile

DAILY_SUMMARY, ON_CALL, JOBS, HEALTH = OWN_SOURCES = ("daily-summary", "on-call", "jobs", "health")
"""Sources of notifybot's own messages. Summaries leave them out."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Announcement:
    """A notice of notifybot itself. `source`: one of OWN_SOURCES."""

    recipients: tuple[Recipient, ...]
    source: str
    content: str
    title: str | None = None
    look: Appearance = DEFAULT_APPEARANCE
    files: tuple[NewFile, ...] = ()
    is_awaited: bool = False
    """Sent at a time that its reader chose, so quiet hours do not delay it."""


def announce(
    session: Session, announcement: Announcement, directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    """Accept a message of notifybot's own account. Returns a refusal instead of raising it."""
    new = NewMessage(
        account=NOTIFYBOT,
        source=announcement.source,
        recipients=announcement.recipients,
        content=announcement.content,
        title=announcement.title,
        is_alert=False,
        escalate_after=None,
        close_after=None,
        look=announcement.look,
        files=announcement.files,
        is_awaited=announcement.is_awaited,
    )
    (answer,) = accept.accept(session, [new], now=now, directory=directory)
    return answer


def announce_to_admins(session: Session, announcement: Announcement, directory: Directory, *, now: datetime) -> None:
    announce_to_each(session, directory.admins, announcement, directory, now=now)


def announce_to_each(
    session: Session, names: Iterable[str], announcement: Announcement, directory: Directory, *, now: datetime
) -> None:
    """Announce to each of these recipients separately, so that one without a chat does not keep it from the others."""
    for name in names:
        answer = announce(session, replace(announcement, recipients=(recipient_of(name),)), directory, now=now)
        if isinstance(answer, NotifybotError):
            facts = {"action": "not_announced", "recipient": name, "title": announcement.title, "reason": answer.detail}
            log.warning("a notice of our own reaches nobody", extra=facts)
