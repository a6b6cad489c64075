"""Fake daemons: one that responds like the real one, and one that misbehaves on request."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

Json = dict[str, object]
Behaviour = Callable[[socket.socket], None]
CREATED = "2026-03-01T09:31:02Z"
STATUS_AFTER = {
    "acknowledge": "closed",
    "close": "closed",
    "cancel": "cancelled",
    "unacknowledge": "escalated",
    "retry": "initiated",
}


def message_id(number: int) -> str:
    """Make ids, a millisecond apart, ordered by `number`."""
    return f"0193f3a4-{number:04x}-7000-8000-{number:012x}"


def a_message(number: int, **fields: object) -> Json:
    return {
        "id": message_id(number),
        "status": "sent",
        "acknowledge": True,
        "title": None,
        "content": f"text {number}",
        "source": "cron",
        "account": "root",
        "to": ["-100123"],
        "created_at": CREATED,
        "escalate_at": None,
        "close_at": None,
        "sent_at": None,
        "escalated_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "closed_at": None,
        "deliveries": [],
        "timeline": [],
        **fields,
    }


def problem(status: int, detail: str, **more: object) -> web.Response:
    body = {"type": "about:blank", "title": "Problem", "status": status, "detail": detail, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


def missing_files(body: Json) -> list[dict[str, str]]:
    """Read the field `missing_files`, which is JSON in a form."""
    given = body["missing_files"]
    found: list[dict[str, str]] = json.loads(given if isinstance(given, str) else json.dumps(given))
    return found


@dataclass(frozen=True)
class Uploaded:
    """A file that was uploaded in a form."""

    field: str
    name: str
    content: bytes


@dataclass
class StandIn:
    """A daemon with messages in memory. `asked` records requests: method, path with query, JSON body.

    For a form, the body is its text fields, and its files are in `uploaded`. `files` is served at /files/….
    """

    path: Path
    messages: dict[str, Json] = field(default_factory=dict)
    asked: list[tuple[str, str, Json | None]] = field(default_factory=list)
    uploaded: list[Uploaded] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    health: Json = field(default_factory=dict)
    health_status: int = 200
    answers: Json = field(default_factory=dict)
    """Overrides fields in the response of /api/ingest."""
    refuse: Callable[[], web.Response] | None = None
    page_size: int = 500
    canned: dict[str, Json] = field(default_factory=dict)
    """Responses to other requests, by method and path: `GET /api/schedules`."""

    def add(self, *messages: Json) -> None:
        self.messages.update((str(message["id"]), message) for message in messages)

    def bodies(self) -> list[Json]:
        return [body for _, _, body in self.asked if body is not None]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note], client_max_size=2**30)
        app.router.add_post("/api/ingest", self._ingest)
        app.router.add_get("/api/messages", self._list)
        app.router.add_get("/api/messages/{id}", self._show)
        app.router.add_patch("/api/messages/{id}", self._edit)
        app.router.add_post("/api/messages/{id}/{verb}", self._change)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_get("/health", self._health)
        app.router.add_post("/subscribe-user", self._subscribe)
        app.router.add_get("/subscribed-users", self._subscribed)
        app.router.add_route("*", "/{path:.*}", self._canned)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs, await self._body(request)))
        if self.refuse is not None:
            return self.refuse()
        response = await handler(request)  # type: ignore[misc]
        assert isinstance(response, web.StreamResponse)
        return response

    async def _body(self, request: web.Request) -> Json | None:
        if not request.content_type.startswith("multipart/"):
            text = await request.text()
            return json.loads(text) if text else None
        fields: Json = {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                self.uploaded.append(Uploaded(name, value.filename, value.file.read()))
            else:
                fields[name] = value
        return fields

    async def _ingest(self, _: web.Request) -> web.Response:
        wanted = self.bodies()[-1]
        if wanted.get("action") == "resolve":
            return self._resolve(str(wanted["dedup_key"]))
        number = len(self.messages) + 1
        acknowledge = wanted["acknowledge"] in (True, "true")
        self.add(a_message(number, content=wanted.get("content"), acknowledge=acknowledge))
        answer = {"id": message_id(number), "status": "initiated", "duplicate": False, "created_at": CREATED}
        answer |= {"escalate_at": None, "close_at": None, **self.answers}
        return web.json_response(answer, status=200 if "wait" in self.asked[-1][1] else 202)

    def _resolve(self, key: str) -> web.Response:
        bound = next((each for each in self.messages.values() if each.get("dedup_key") == key), None)
        if bound is None:
            return problem(404, "Nothing is open under this key.")
        return web.json_response(bound | {"status": "closed", "duplicate": False})

    async def _edit(self, request: web.Request) -> web.Response:
        message = self.messages[request.match_info["id"]]
        if message["status"] == "closed":
            return problem(409, "This message is closed.")
        message |= self.bodies()[-1]
        return web.json_response(message)

    async def _file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["name"])
        return problem(404, "No such file.") if content is None else web.Response(body=content)

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        found = sorted(self.messages.values(), key=lambda message: str(message["id"]), reverse=True)
        found = [each for each in found if each["status"] == query.get("status", each["status"])]
        if query.get("open") == "true":
            found = [each for each in found if each["acknowledge"] and each["status"] not in ("closed", "cancelled")]
        found = [each for each in found if each["source"] == query.get("source", each["source"])]
        found = [each for each in found if str(each["id"]) < query.get("cursor", "z")]
        page = found[: min(self.page_size, int(query.get("limit", "50")))]
        cursor = page[-1]["id"] if len(page) < len(found) else None
        return web.json_response({"messages": page, "next_cursor": cursor})

    async def _show(self, request: web.Request) -> web.Response:
        message = self.messages.get(request.match_info["id"])
        if message is None:
            return problem(404, "There is no message with this id.", hint="GET /api/messages lists them.")
        return web.json_response(message)

    async def _change(self, request: web.Request) -> web.Response:
        message = self.messages[request.match_info["id"]]
        if request.match_info["verb"] == "acknowledge" and not message["acknowledge"]:
            return problem(409, "A notice asks for no acknowledgement.")
        if request.match_info["verb"] == "snooze":
            until = self.bodies()[-1].get("until", CREATED)
            return web.json_response(message | {"snoozed_until": until, "snoozed_by": {"account": "alice"}})
        message["status"] = STATUS_AFTER[request.match_info["verb"]]
        if request.match_info["verb"] == "acknowledge":
            message |= {"acknowledged_at": CREATED, "acknowledged_by": {"account": "alice"}}
        return web.json_response(message)

    async def _canned(self, request: web.Request) -> web.Response:
        answer = self.canned.get(f"{request.method} {request.path}")
        return problem(404, "There is no such thing.") if answer is None else web.json_response(answer)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(self.health, status=self.health_status)

    async def _subscribe(self, _: web.Request) -> web.Response:
        return web.json_response({"user_id": "u-1", **self.bodies()[-1], "created_at": CREATED})

    async def _subscribed(self, _: web.Request) -> web.Response:
        person = {"user_id": "u-1", "chat_id": "42", "chat_name": "anna", "created_at": CREATED}
        return web.json_response([person])


@contextmanager
def serving(standin: StandIn) -> Iterator[None]:
    """Serve `standin` on its socket, in a thread with its own event loop."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(standin.app())

    async def start() -> None:
        await runner.setup()
        await web.UnixSite(runner, str(standin.path)).start()

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def misbehaving(path: Path, *behaviours: Behaviour) -> Iterator[list[bytes]]:
    """Run a server whose n-th connection has the n-th behaviour, later ones the last. Yields the requests."""
    requests: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            connection, _ = listener.accept()
            with connection:
                if not done.is_set():
                    behave = behaviours[min(len(requests), len(behaviours) - 1)]
                    requests.append(read_request(connection))
                    behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield requests
    finally:
        done.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(path))
        thread.join(10)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Read one request, or as much as came before the client left."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65_536)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (piece := connection.recv(65_536)):
        body += piece
    return head + b"\r\n\r\n" + body


def saying(*chunks: bytes) -> Behaviour:
    """Send the chunks one by one and close."""

    def behave(connection: socket.socket) -> None:
        try:
            for chunk in chunks:
                connection.sendall(chunk)
        except OSError:
            return  # the client has left

    return behave


def cutting(_: socket.socket) -> None:
    """Close without a response."""


def hanging(connection: socket.socket) -> None:
    """Send nothing until the client leaves."""
    connection.recv(1)


def json_reply(document: object, *, status: str = "200 OK", extra: str = "") -> bytes:
    body = json.dumps(document).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def accepted(number: int = 1) -> Json:
    return {"id": message_id(number), "status": "initiated", "duplicate": False, "created_at": CREATED}


def in_utc() -> datetime:
    return datetime.fromisoformat(CREATED).astimezone(UTC)
