"""Compiled statements: lists as one parameter, on both databases."""

import pytest
from sqlalchemy import select
from sqlmodel import Session

from notifybot.model.chats import Chat
from notifybot.posts import chats
from notifybot.storage.database import Database
from notifybot.storage.statements import fetch, in_list, insert_rows, table_of

pytestmark = pytest.mark.both_databases

CHATS = table_of(Chat)
AMONG = select(CHATS.c.id).where(in_list(CHATS.c.id, "chats")).order_by(CHATS.c.id)
TITLES = AMONG.with_only_columns(CHATS.c.id, CHATS.c.title, CHATS.c.held_until)
NAMES = ["-1001", "@o'brien", '@"quoted"', "@ü", "@🔥", "@back\\slash"]


def stored(session: Session) -> None:
    chats.ensure(session, NAMES)


@pytest.mark.parametrize("wanted", [[], ["-1001"], NAMES, [*NAMES, *map(str, range(2000))]], ids=len)
async def test_a_list_of_any_length_is_one_parameter(database: Database, wanted: list[str]) -> None:
    await database.write(stored)

    found = await database.write(lambda session: fetch(session, AMONG, chats=wanted))

    assert sorted(row.id for row in found) == sorted(set(wanted) & set(NAMES))


async def test_an_insert_skips_known_rows_and_fills_in_defaults(database: Database) -> None:
    await database.write(stored)
    known, new = {"id": "-1001", "title": "again"}, {"id": "-1002", "title": "new"}

    await database.write(lambda session: insert_rows(session, Chat, [known, new], skip_known=True))

    rows = await database.write(lambda session: fetch(session, TITLES, chats=["-1001", "-1002"]))
    assert [tuple(row) for row in rows] == [("-1001", None, None), ("-1002", "new", None)]
