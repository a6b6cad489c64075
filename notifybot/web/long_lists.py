"""Answer with a list of any length, a piece at a time: a reader, fast or slow, takes the memory of one piece."""

from collections.abc import Callable, Iterator, Sequence

from aiohttp import web
from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.web.connections import being_read
from notifybot.web.documents import HEADERS, encode
from notifybot.web.route import runtime_of

PIECE_CHARACTERS = 500_000

Sized = Sequence[tuple[str, int]]
"""Ids in order, and how many characters each will take."""
ReadSome = Callable[[Session, Sequence[str]], Sequence[object]]
"""Returns the documents of these ids."""


async def list_response(
    request: web.Request, found: Sized, read: ReadSome, *, within: tuple[bytes, bytes] = (b"[", b"]")
) -> web.StreamResponse:
    """Write what stands before and after the list, and between them the documents."""
    begin, end = within
    pieces = list(in_pieces(found))
    if len(pieces) <= 1:
        documents = await _encoded(request, pieces[0] if pieces else (), read)
        return web.Response(body=begin + b",".join(documents) + end, headers=HEADERS)
    answer = web.StreamResponse(headers=HEADERS)
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    try:
        between = begin
        for ids in pieces:
            for document in await _encoded(request, ids, read):
                await _write(request, answer, between + document)
                between = b","
        await _write(request, answer, (begin if between is begin else b"") + end)
    except (TimeoutError, NotifybotError):
        if request.transport is not None:
            request.transport.abort()  # without its end, the caller sees that it is incomplete
    return answer


def in_pieces(found: Sized) -> Iterator[Sequence[str]]:
    """Yield the ids in pieces of about PIECE_CHARACTERS."""
    piece: list[str] = []
    total = 0
    for each, size in found:
        if piece and total + size > PIECE_CHARACTERS:
            yield piece
            piece, total = [], 0
        piece.append(each)
        total += size
    if piece:
        yield piece


async def _encoded(request: web.Request, ids: Sequence[str], read: ReadSome) -> list[bytes]:
    if not ids:
        return []
    documents = await runtime_of(request).database.read(lambda session: read(session, ids))
    return [encode(document) for document in documents]


async def _write(request: web.Request, answer: web.StreamResponse, data: bytes) -> None:
    async with being_read(request, len(data)):
        await answer.write(data)
