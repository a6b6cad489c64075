"""Fill databases with scheduled messages and people, through the product's own code for accepting them."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice

from sqlmodel import Session

from benchmarks.load.filling import A_COMMIT, filling
from benchmarks.load.plain_stores import ACCOUNT
from notifybot.messages import accept
from notifybot.messages.new_message import NewMessage
from notifybot.model.people import Person
from notifybot.posts import chats
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.storage import migrations
from notifybot.storage.statements import insert_rows
from notifybot.times.clock import Clock

NOTHING_FALLS_DUE = timedelta(days=30)


def fill_scheduled(url: str, count: int, chat_ids: Sequence[str]) -> None:
    """Accept `count` messages for these chats in turn, scheduled a second apart, starting a month from now."""
    migrations.upgrade(url)
    coming, begin = cycle(chat_ids), Clock().now() + NOTHING_FALLS_DUE
    with filling(url) as session:
        for done in range(0, count, A_COMMIT):
            chosen = enumerate(islice(coming, min(A_COMMIT, count - done)), done)
            batch = [_scheduled(chat_id, begin + timedelta(seconds=number)) for number, chat_id in chosen]
            accept.accept(session, batch, now=Clock().now())
            session.commit()
        session.connection().exec_driver_sql("ANALYZE")
        session.commit()


def fill_people(url: str, chat_ids: Sequence[str]) -> None:
    """Add a person for each of these private chats."""
    migrations.upgrade(url)
    with filling(url) as session:
        chats.ensure(session, chat_ids)
        _add_people(session, chat_ids)
        session.connection().exec_driver_sql("ANALYZE")
        session.commit()


def _add_people(session: Session, chat_ids: Sequence[str]) -> None:
    people = [{"user_id": str(uuid.uuid4()), "chat_id": chat_id, "chat_name": f"p{chat_id}"} for chat_id in chat_ids]
    insert_rows(session, Person, people, same={"created_at": Clock().now()})


def _scheduled(chat_id: str, send_at: datetime) -> NewMessage:
    return NewMessage(
        account=ACCOUNT,
        source=ACCOUNT,
        recipients=(Recipient(RecipientKind.CHAT, chat_id),),
        content="the weekly report is in the wiki",
        title=None,
        is_alert=False,
        escalate_after=None,
        close_after=None,
        send_at=send_at,
    )
