"""Concurrent uploads to one daemon, from a separate process: forms over a unix socket; prints ids and times.

python -m benchmarks.load.uploading '{"socket": "…", "chat_ids": […], "size": 1000000}'
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from aiohttp import ClientSession, ClientTimeout, FormData, UnixConnector
from aiohttp.payload import AsyncIterablePayload

PIECE_BYTES = 64 * 1024
WITHIN = ClientTimeout(total=300)


@dataclass(frozen=True)
class Uploads:
    """One file of `size` bytes per chat, each with unique content. `rest_s`: a pause after each piece of
    `piece` bytes, as of a slow line."""

    socket: str
    chat_ids: list[int]
    size: int
    piece: int = PIECE_BYTES
    rest_s: float = 0.0
    seed: int = 1


@dataclass(frozen=True)
class Uploaded:
    """Outcome of an upload. `seconds` is None if it was refused; `answer` is the message id, or the refusal."""

    status: int
    answer: str
    seconds: float | None


async def content(number: int, uploads: Uploads) -> AsyncIterator[bytes]:
    """Yield the file of one chat, unique and incompressible."""
    rng = random.Random(uploads.seed * 1_000_003 + number)
    left = uploads.size
    while left:
        piece = rng.randbytes(min(left, uploads.piece))
        left -= len(piece)
        yield piece
        if uploads.rest_s:
            await asyncio.sleep(uploads.rest_s)


async def upload(http: ClientSession, number: int, uploads: Uploads) -> Uploaded:
    form = FormData({"channel_id": str(uploads.chat_ids[number]), "acknowledge": "false", "caption": f"file {number};"})
    form.add_field("file", AsyncIterablePayload(content(number, uploads)), filename=f"{number}.bin")
    began = time.monotonic()
    async with http.post("http://notifybot/api/ingest", data=form) as response:
        answer = await response.json(content_type=None)
    seconds = time.monotonic() - began
    if response.status == 202:
        return Uploaded(202, str(answer["id"]), seconds)
    return Uploaded(response.status, str(answer), None)


async def upload_all(uploads: Uploads) -> list[Uploaded]:
    connector = UnixConnector(uploads.socket, limit=0)
    async with ClientSession(connector=connector, timeout=WITHIN) as http:
        return await asyncio.gather(*(upload(http, number, uploads) for number in range(len(uploads.chat_ids))))


if __name__ == "__main__":
    print(json.dumps([asdict(each) for each in asyncio.run(upload_all(Uploads(**json.loads(sys.argv[1]))))]))
