"""The real daemon in this process, without Telegram, and a client that can send anything to its socket."""

import asyncio
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from notifybot.app import Daemon, daemon
from notifybot.config import load
from notifybot.times.clock import Clock

WITHIN_S = 20.0
CHAT = "-1001"
URL_FILE = "database-url"
"""Name of a file with the database URL, in folders that have one."""
KEPT = ("messages", "deliveries", "posts", "timeline", "client_ids", "people", "chats")
COUNT = text("SELECT " + ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in KEPT))
OURS = re.compile(
    r"Traceback|sqlalchemy|sqlite|psycopg|postgres|pydantic|aiohttp|asyncio|Fields\b|Error\b|<class|\.py\b"
    r"|SELECT |INSERT |UPDATE |BEGIN|set_int|utf-8-sig"
)
"""Internals that no response may reveal: library and class names, SQL, files."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Json:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Door:
    """A daemon's socket, and access to its database."""

    path: Path
    daemon: Daemon

    async def ask(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        """Send one request on a new connection. Bytes are sent unchanged, anything else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if data:
            named = {"Content-Type": "application/json", "Content-Length": str(len(data))} | named
        lines = [f"{method} {target} HTTP/1.1", "Connection: close", *map(": ".join, named.items())]
        return await self.raw("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data)

    async def ingest(self, **fields: object) -> Answer:
        return await self.ask("POST", "/api/ingest", {"content": "x", "channel_id": CHAT} | fields)

    async def raw(self, data: bytes) -> Answer:
        """Send these bytes, and read one response."""
        async with self.connection() as line:
            await line.say(data)
            return await line.answer()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator["Line"]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def kept(self) -> dict[str, int]:
        """Return the row counts of the tables to which a request can add."""

        return await self.daemon.runtime.database.read(_counts)


def _counts(session: Session) -> dict[str, int]:
    return dict(session.execute(COUNT).one()._mapping)


@dataclass(frozen=True)
class Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):  # refused before all was read: the response says why
            await self.writer.drain()

    async def answer(self, *, has_body: bool = True) -> Answer:
        async with asyncio.timeout(WITHIN_S):
            return await read_answer(self.reader, has_body=has_body)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read(1) == b""
            return True


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
    length = int(headers.get("content-length", 0)) if has_body else 0
    return Answer(int(first.split()[1]), headers, await reader.readexactly(length))


@contextlib.asynccontextmanager
async def door(folder: Path, config: str = "", inherited: list[Any] | None = None) -> AsyncIterator[Door]:
    """Run a daemon without a token, with data and socket in `folder`."""
    file = folder / "config.yaml"
    if (folder / URL_FILE).exists():
        config += f"\ndatabase: {{url_file: {folder / URL_FILE}}}"
    if "socket:" not in config:
        config += f"\nsocket: {{path: {folder}/s}}"
    file.write_text(f"data_dir: {folder}/data\n{config}\n", encoding="utf-8")
    loaded = load(file, {})
    async with daemon(loaded, Clock(), inherited or []) as running:
        yield Door(loaded.socket.path, running)


@contextlib.contextmanager
def open_folder() -> Any:
    """Create a folder that other accounts can enter, with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="door"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def assert_problem(answer: Answer, status: int | range = range(400, 500), *, ours: re.Pattern[str] = OURS) -> Json:
    """Check a refusal: the common shape, a sentence for people, and no internals. Return it."""
    assert answer.status in (status if isinstance(status, range) else (status,)), answer
    assert answer.headers["content-type"] == "application/problem+json", answer
    found = answer.json
    assert (
        {"type", "title", "status", "detail"} <= found.keys() <= {"type", "title", "status", "detail", "hint", "errors"}
    )
    assert found["status"] == answer.status
    assert len(found["title"]) > 3
    assert len(found["detail"].split()) >= 3, found
    assert not ours.search(answer.body.decode()), found
    assert len(answer.body) < 20_000, len(answer.body)
    for problem in found.get("errors", []):
        assert problem.keys() == {"loc", "msg"}
        assert problem["msg"]
    return found
