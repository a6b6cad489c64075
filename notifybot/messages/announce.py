"""Send notifybot's own messages: summaries, on-call notices, job failures."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages import accept
from notifybot.messages.new_message import Acceptance, Extras, NewMessage
from notifybot.model.actors import NOTIFYBOT
from notifybot.recipients.address import Recipient
from notifybot.recipients.directory import Directory

DAILY_SUMMARY, ON_CALL, JOBS = OWN_SOURCES = ("daily-summary", "on-call", "jobs")
"""Which part of notifybot speaks. Summaries leave out what these say."""


@dataclass(frozen=True)
class Announcement:
    """A notice to some recipients. `source`: one of OWN_SOURCES."""

    recipients: tuple[Recipient, ...]
    source: str
    content: str
    title: str | None = None
    extras: Extras | None = None


def announce(
    session: Session, announcement: Announcement, directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    """Accept it as a message of notifybot's own account; the refusal is returned, for nobody waits for an answer."""
    new = NewMessage(
        account=NOTIFYBOT,
        source=announcement.source,
        recipients=announcement.recipients,
        content=announcement.content,
        title=announcement.title,
        is_alert=False,
        escalate_after=None,
        close_after=None,
        extras=announcement.extras,
    )
    (answer,) = accept.accept(session, [new], now=now, directory=directory)
    return answer
