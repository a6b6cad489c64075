"""Send daily summaries: use up their dates and accept the messages."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.messages import announce
from notifybot.messages.announce import Announcement
from notifybot.recipients.directory import Directory
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile
from notifybot.summaries import plan
from notifybot.summaries.plan import DueSummary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadySummary:
    """A summary that is ready to go. None: nothing is said this time."""

    turn: DueSummary
    announcement: Announcement | None


def announcement_of(
    turn: DueSummary, content: str, title: str | None = None, files: tuple[NewFile, ...] = ()
) -> Announcement:
    """Who chose the time is not kept waiting by quiet hours; those of the config did not."""
    look = Appearance(type="image") if files else DEFAULT_APPEARANCE
    is_awaited = turn.user_id is not None
    return Announcement((turn.recipient,), announce.DAILY_SUMMARY, content, title, look, files, is_awaited=is_awaited)


def send(session: Session, *, written: Sequence[ReadySummary], directory: Directory, now: datetime) -> int:
    """Use up the dates and accept the messages, both or neither; a date that was used up meanwhile is left out."""
    return sum(_send_one(session, each, directory, now=now) for each in written)


def _send_one(session: Session, written: ReadySummary, directory: Directory, *, now: datetime) -> int:
    turn, announcement = written.turn, written.announcement
    if turn.planned_at is not None and not plan.take(session, turn, now=now):
        return 0
    if announcement is None:
        return 0
    answer = announce.announce(session, announcement, directory, now=now)
    if isinstance(answer, NotifybotError):
        log.warning(
            "a summary reaches nobody", extra={"action": "summary", "reader": turn.reader, "reason": answer.detail}
        )
        return 0
    return 1
