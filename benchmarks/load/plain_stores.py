"""Stores of the plain servers: none, plain SQL, or the ORM, with one commit per alert."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlmodel import Session

import notifybot.model.schedules  # noqa: F401 - the ORM needs each table that a foreign key refers to
from notifybot.model.chats import Post
from notifybot.model.enums import DeliveryStatus, EventKind, Purpose
from notifybot.model.ids import new_id
from notifybot.model.messages import Delivery, Message, TimelineEvent
from notifybot.model.states import State
from notifybot.times.clock import Clock

WRITERS = {"sqlite": 1, "postgresql": 8}
"""Committing threads, each with its own connection: SQLite has one writer, PostgreSQL can sync several at once."""
ESCALATE_AFTER, CLOSE_AFTER = timedelta(minutes=15), timedelta(hours=1)
ACCOUNT = "root"
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536")
MESSAGE = """id state is_alert content recipients source account created_at escalate_at close_at may_expire
    is_snoozed_by_clock file_count repeats steps_left"""
POST = """id chat_id urgency caller version shown_version not_before errors tried_for_s is_silent as_text files_follow
    parts_shown shown uncertain is_reminder reposted_version"""
DELIVERY = "message_id post_id chat_id recipient purpose status attempts"
EVENT = "message_id at event actor"
_clock = Clock()


class Kind(StrEnum):
    NOTHING = "nothing"
    SQL = "sql"
    ORM = "orm"


class Store:
    """Store that runs `write` for each alert, off the event loop."""

    def __init__(self, write: Callable[[str, str], None] | None, writers: ThreadPoolExecutor) -> None:
        self._write = write
        self._writers = writers

    async def keep(self, chat_id: str, content: str) -> None:
        """Store the alert; return once it is on disk."""
        if self._write is not None:
            await asyncio.get_running_loop().run_in_executor(self._writers, self._write, chat_id, content)


@contextlib.contextmanager
def new_store(kind: Kind, url: str) -> Iterator[Store]:
    """Return a store on a database that has notifybot's tables and the chats."""
    engine = _engine(url)
    with ThreadPoolExecutor(WRITERS[engine.dialect.name]) as writers:
        yield Store({Kind.NOTHING: None, Kind.SQL: _by_sql(engine), Kind.ORM: _by_orm(engine)}[kind], writers)
    engine.dispose()


def driver_url(url: str) -> URL:
    """Return the URL with the driver that notifybot uses."""
    parsed = make_url(url)
    return parsed if parsed.get_backend_name() == "sqlite" else parsed.set(drivername="postgresql+psycopg")


def _engine(url: str) -> Engine:
    """Return an engine with one connection per writer. SQLite commits are as durable as notifybot's."""
    parsed = driver_url(url)
    engine = create_engine(parsed, pool_size=WRITERS[parsed.get_backend_name()])
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _by_orm(engine: Engine) -> Callable[[str, str], None]:
    def write(chat_id: str, content: str) -> None:
        now = _clock.now()
        with Session(engine) as session:
            message, post, *referring = _rows(chat_id, content, now)
            session.add_all((message, post))
            session.flush()  # without relationships, the session does not know that these must be inserted first
            session.add_all(referring)
            session.commit()

    return write


def _rows(chat_id: str, content: str, now: datetime) -> list[Message | Post | Delivery | TimelineEvent]:
    message = Message(
        id=new_id(now),
        state=State.INITIATED,
        is_alert=True,
        content=content,
        recipients=[chat_id],
        source=ACCOUNT,
        account=ACCOUNT,
        created_at=now,
        escalate_at=now + ESCALATE_AFTER,
        close_at=now + CLOSE_AFTER,
    )
    post = Post(id=new_id(now), chat_id=chat_id, urgency=1, caller=ACCOUNT, not_before=now)
    delivery = Delivery(
        message_id=message.id,
        post_id=post.id,
        chat_id=chat_id,
        recipient=chat_id,
        purpose=Purpose.PRIMARY,
        status=DeliveryStatus.WAITING,
    )
    line = TimelineEvent(message_id=message.id, at=now, event=EventKind.ACCEPTED, actor=f"account:{ACCOUNT}")
    return [message, post, delivery, line]


def _by_sql(engine: Engine) -> Callable[[str, str], None]:
    """Return a writer that uses the driver directly: one connection per thread, with prepared statements."""
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    tables = {"messages": MESSAGE, "posts": POST, "deliveries": DELIVERY, "timeline": EVENT}
    statements = [_insert(table, columns.split(), mark) for table, columns in tables.items()]
    connections = threading.local()

    def write(chat_id: str, content: str) -> None:
        if not hasattr(connections, "mine"):
            connections.mine = engine.raw_connection()
        cursor = connections.mine.cursor()
        for statement, values in zip(statements, _values(chat_id, content, _clock.now(), mark), strict=True):
            cursor.execute(statement, values)
        connections.mine.commit()

    return write


def _insert(table: str, columns: Sequence[str], mark: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"


def _values(chat_id: str, content: str, now: datetime, mark: str) -> Iterator[tuple[object, ...]]:
    """Return the values of MESSAGE, POST, DELIVERY and EVENT; on SQLite, times are in notifybot's format."""
    at, escalate_at, close_at = (
        moment.strftime("%Y-%m-%d %H:%M:%S.%f") if mark == "?" else moment
        for moment in (now, now + ESCALATE_AFTER, now + CLOSE_AFTER)
    )
    message_id, post_id = new_id(now), new_id(now)
    recipients = json.dumps([chat_id])
    yield (
        message_id,
        "initiated",
        True,
        content,
        recipients,
        ACCOUNT,
        ACCOUNT,
        at,
        escalate_at,
        close_at,
        False,
        False,
        0,
        0,
        1,
    )
    yield post_id, chat_id, 1, ACCOUNT, 1, 0, at, 0, 0.0, False, 0, False, 0, "[]", 0, False, 0
    yield message_id, post_id, chat_id, chat_id, "primary", "waiting", 0
    yield message_id, at, "accepted", f"account:{ACCOUNT}"
