"""What notifybot itself has to say: summaries, turns on call, its own troubles. It is a caller like any other."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from notifybot import acceptance
from notifybot.errors import NotifybotError
from notifybot.new_messages import Accepted, Extras, NewMessage
from notifybot.recipients import Directory, Recipient
from notifybot.timeline import NOTIFYBOT

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
) -> Accepted | NotifybotError:
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
    (answer,) = acceptance.accept(session, [new], now=now, directory=directory)
    return answer
