"""Long lists are written piece by piece, and the slowest readers do not take the memory of the others."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from notifybot.web import connections, long_lists
from notifybot.web.long_lists import PIECE_CHARACTERS, in_pieces
from tests.support.door import Door, door
from tests.web.test_silent_connections import server_of, until

BIG = PIECE_CHARACTERS
MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    ("sizes", "pieces"),
    [
        ([], []),
        ([1], ["a"]),
        ([0, 0, 0], ["abc"]),
        ([BIG], ["a"]),
        ([BIG + 1], ["a"]),
        ([BIG, 1], ["a", "b"]),
        ([BIG // 2] * 4, ["ab", "cd"]),
        ([1, BIG, 1], ["a", "b", "c"]),
        ([3 * BIG] * 3, ["a", "b", "c"]),
        ([1, 1, BIG - 2, 1], ["abc", "d"]),
    ],
)
def test_a_piece_ends_before_it_gets_too_large(sizes: Sequence[int], pieces: list[str]) -> None:
    found = list(zip("abcdefgh", sizes, strict=False))

    assert ["".join(ids) for ids in in_pieces(found)] == pieces


async def listed(opened: Door, path: str) -> tuple[bool, object]:
    """Return whether the list came in pieces, and the list."""
    connector = aiohttp.UnixConnector(str(opened.path))
    async with aiohttp.ClientSession("http://localhost", connector=connector) as http, http.get(path) as response:
        assert response.status == 200
        return response.headers.get("Transfer-Encoding") == "chunked", await response.json()


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("path", ["/api/messages?limit=5", "/pending-messages", "/api/schedules"])
async def test_a_list_is_the_same_in_one_piece_or_many(
    folder: Path, path: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = (datetime.now(UTC) + MONTH).isoformat()  # noqa: TID251
    async with door(folder) as opened:
        for number in range(count):
            await opened.ingest(content=f"é{number}" * 100, acknowledge=False, send_at=later, repeat="@daily")
        whole = await listed(opened, path)

        monkeypatch.setattr(long_lists, "PIECE_CHARACTERS", 150)
        pieces = await listed(opened, path)

    assert pieces[1] == whole[1]
    assert (whole[0], pieces[0]) == (False, count > 1)


async def test_the_reader_that_waits_longest_is_cut_off_when_too_much_is_unread(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_UNREAD_BYTES", 2_500_000)
    async with door(folder) as opened:
        for _ in range(4):
            await opened.ingest(content="x" * 900_000, acknowledge=False)
        async with contextlib.AsyncExitStack() as stack:
            unread = server_of(opened).unread
            for _ in range(4):
                line = await stack.enter_async_context(opened.connection())
                before = set(unread)
                await line.say(b"GET /api/messages HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await until(lambda known=before: bool(unread.keys() - known))  # type: ignore[misc]
                assert 1 <= len(unread) <= 2  # between two pieces, a caller is on none
            assert (await opened.ask("GET", "/api/messages?limit=1")).status == 200
            assert sum(unread.values()) <= 2_500_000


async def test_a_list_whose_rest_cannot_be_read_ends_early(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.2)
    async with door(folder) as opened:
        for _ in range(8):
            await opened.ingest(content="x" * 400_000, acknowledge=False)
        async with opened.connection() as line:
            await line.say(b"GET /api/messages HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: bool(server_of(opened).unread))
            await until(lambda: not server_of(opened).unread)
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := await line.reader.read(1_000_000):
                    received += piece
            assert received
            assert not received.endswith(b"\r\n0\r\n\r\n")
