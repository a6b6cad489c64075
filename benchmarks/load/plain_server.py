"""Baseline servers for notifybot: the same aiohttp, with a handler that does nothing or stores alerts plainly.

    python -m benchmarks.load.plain_server KIND SOCKET DATABASE_URL

All kinds validate the same fields and send responses of the same size. Their stores are in plain_stores.py.
"""

import asyncio
import gc
import json
import socket
import sys
from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from benchmarks.load.plain_stores import Kind, Store, new_store
from notifybot.model.ids import new_id
from notifybot.times.clock import Clock

BACKLOG = 1024
MAX_BODY_BYTES = 1024 * 1024
KEEP_ALIVE_S = 60.0
AN_ANSWER = {
    "id": new_id(Clock().now()),
    "status": "initiated",
    "duplicate": False,
    "created_at": "2026-01-31T18:30:00.000Z",
    "escalate_at": "2026-01-31T18:45:00.000Z",
    "close_at": "2026-01-31T19:30:00.000Z",
}
ANSWER = json.dumps(AN_ANSWER).encode()
Text = Annotated[str, StringConstraints(min_length=1)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class IngestFields(BaseModel):
    """The fields of /api/ingest."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["text"] = "text"
    content: Text
    channel_id: int | Label | None = None
    user: Label | None = None
    acknowledge: bool = True
    title: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    source: Label | None = None
    client_id: Label | None = None
    escalate_after: int | Label | None = None
    close_after: int | Label | None = None


async def serve(kind: Kind, path: str, url: str) -> None:
    """Serve until killed; print a line once ready."""
    with new_store(kind, url) as store:
        # Same settings as notifybot's listener.
        runner = web.AppRunner(
            _app(store), access_log=None, handle_signals=False, keepalive_timeout=KEEP_ALIVE_S, auto_decompress=False
        )
        await runner.setup()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        gc.collect()
        gc.freeze()
        print("ready", flush=True)
        await asyncio.Event().wait()


def _app(store: Store) -> web.Application:
    async def ingest(request: web.Request) -> web.Response:
        fields = IngestFields.model_validate_json(await request.read())
        await store.keep(str(fields.channel_id), fields.content)
        return web.Response(body=ANSWER, status=202, content_type="application/json", charset="utf-8")

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/api/ingest", ingest)
    return app


if __name__ == "__main__":
    asyncio.run(serve(Kind(sys.argv[1]), *sys.argv[2:]))
