"""Fill a database with waiting alerts, through the product's own code for accepting them.

python -m benchmarks.load.filling URL COUNT CHAT_ID...
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle, islice

from sqlmodel import Session, create_engine

from benchmarks.load.plain_stores import ACCOUNT, driver_url
from notifybot.messages import accept
from notifybot.messages.new_message import NewMessage
from notifybot.posts import chats
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.storage import migrations
from notifybot.times.clock import Clock

A_COMMIT = 1000
NOTHING_FALLS_DUE = timedelta(days=30)
MADE_FASTER = ("journal_mode = WAL", "synchronous = OFF", "cache_size = -262144")
"""A database under construction does not have to survive a power cut."""


def fill(url: str, count: int, chat_ids: Sequence[str], *, escalate_after: timedelta = NOTHING_FALLS_DUE) -> None:
    """Accept `count` alerts for these chats in turn. They escalate after `escalate_after` and close at twice that."""
    migrations.upgrade(url)
    coming = cycle(chat_ids)
    with filling(url) as session:
        for done in range(0, count, A_COMMIT):
            batch = [_alert(chat_id, escalate_after) for chat_id in islice(coming, min(A_COMMIT, count - done))]
            accept.accept(session, batch, now=Clock().now())
            session.commit()
        # Autovacuum does this after a minute. Until then, PostgreSQL plans as if the tables were small.
        session.connection().exec_driver_sql("ANALYZE")
        session.commit()


def furnish(url: str, chat_ids: Sequence[str]) -> None:
    """Create the tables, and insert these chats."""
    migrations.upgrade(url)
    with filling(url) as session:
        chats.ensure(session, chat_ids, is_new=False)
        session.commit()


@contextmanager
def filling(url: str) -> Iterator[Session]:
    """Open a session for fast inserts of test data."""
    engine = create_engine(driver_url(url))
    with Session(engine) as session:
        if engine.dialect.name == "sqlite":
            for pragma in MADE_FASTER:
                session.connection().exec_driver_sql(f"PRAGMA {pragma}")
        yield session
    engine.dispose()


def _alert(chat_id: str, escalate_after: timedelta) -> NewMessage:
    return NewMessage(
        account=ACCOUNT,
        source=ACCOUNT,
        recipients=(Recipient(RecipientKind.CHAT, chat_id),),
        content="disk full on db1: 97 % of /var",
        title=None,
        is_alert=True,
        escalate_after=escalate_after,
        close_after=2 * escalate_after,
    )


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
