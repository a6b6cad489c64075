"""Send daily summaries: use up their dates and accept the messages."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages.announce import Announcement, announce
from notifybot.recipients.directory import Directory
from notifybot.summaries import plan
from notifybot.summaries.plan import DueSummary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadySummary:
    """A composed summary. Without an announcement its date is used up, and nothing is sent."""

    due: DueSummary
    announcement: Announcement | None


def send(session: Session, *, summaries: Sequence[ReadySummary], directory: Directory, now: datetime) -> int:
    """Use up the dates and accept the messages; return how many. A date that is used up already is left out."""
    return sum(_send_one(session, each, directory, now=now) for each in summaries)


def _send_one(session: Session, ready: ReadySummary, directory: Directory, *, now: datetime) -> bool:
    due, announcement = ready.due, ready.announcement
    if due.planned_at is not None and not plan.take(session, due, now=now):
        return False
    if announcement is None:
        return False
    answer = announce(session, announcement, directory, now=now)
    if isinstance(answer, NotifybotError):
        facts = {"action": "summary_failed", "reader": due.reader, "reason": answer.detail}
        log.warning("a summary has no reachable recipient", extra=facts)
        return False
    return True
