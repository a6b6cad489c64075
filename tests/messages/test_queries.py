"""Pages of messages: bounded by characters, and no message is missed or shown twice."""

from datetime import UTC, datetime
from functools import partial

import pytest
from sqlmodel import Session

from notifybot.messages import accept, queries
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.messages.queries import MAX_PAGE_CHARACTERS, MessageFilter
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.storage.database import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LARGE = MAX_PAGE_CHARACTERS // 3


def store(session: Session, sizes: list[int]) -> list[str]:
    """Store messages of these lengths; return their ids, the newest first."""
    recipients = (Recipient(RecipientKind.CHAT, "-1001"),)
    new = [NewMessage("a", "b", recipients, "x" * size, None, False, None, None, None, "f") for size in sizes]
    accepted = accept.accept(session, new, now=NOW)
    assert all(isinstance(each, Acceptance) for each in accepted)
    return sorted((each.id for each in accepted if isinstance(each, Acceptance)), reverse=True)


def pages(session: Session, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    before: str | None = None
    while True:
        page, has_more = queries.page(session, MessageFilter(before_id=before), limit=limit)
        found.append([each for each, _ in page])
        if not has_more:
            return found
        before = page[-1][0]


@pytest.mark.parametrize(
    ("sizes", "limit", "lengths"),
    [
        ([], 5, [0]),
        ([1], 5, [1]),
        ([1] * 5, 5, [5]),
        ([1] * 6, 5, [5, 1]),
        ([1] * 7, 1, [1] * 7),
        ([LARGE] * 4, 500, [2, 2]),
        ([LARGE] * 2, 2, [2]),
        ([2 * MAX_PAGE_CHARACTERS] * 3, 500, [1, 1, 1]),
        ([2 * MAX_PAGE_CHARACTERS], 500, [1]),
        ([1, 1, 2 * MAX_PAGE_CHARACTERS], 500, [1, 2]),
    ],
)
async def test_a_page_ends_before_it_gets_too_large(
    database: Database, sizes: list[int], limit: int, lengths: list[int]
) -> None:
    stored = await database.write(partial(store, sizes=sizes))
    found = await database.read(partial(pages, limit=limit))
    assert [message_id for page in found for message_id in page] == stored
    assert [len(page) for page in found] == lengths
