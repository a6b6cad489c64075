"""Replan or delete the daily summaries of a person."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session

from notifybot.model.enums import Deadline
from notifybot.model.people import Person
from notifybot.model.schedules import OF_PERSON, SummaryPlan
from notifybot.storage.statements import affected, table_of
from notifybot.storage.writer import changes

PEOPLE, PLANS = table_of(Person), table_of(SummaryPlan)


def replan_summary(session: Session, *, now: datetime) -> None:
    """Let the summary job look at once for changed preferences, instead of within half a minute."""
    changes(session).note_deadline(Deadline.SUMMARY, now)


def forget(session: Session, user_id: str) -> None:
    """Delete the plans of somebody who is removed."""
    affected(session, delete(PLANS).where(PLANS.c.reader == OF_PERSON + user_id))
