"""Control API for tests and the chat page, in JSON."""

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from aiohttp import web

from notifybot.sandbox.bot_api.chats import commands_json
from notifybot.sandbox.bot_api.fetch import WebPage
from notifybot.sandbox.sandbox import Sandbox
from notifybot.sandbox.values import JsonObject, Refused
from notifybot.sandbox.web.files import handing_out
from notifybot.sandbox.world import people
from notifybot.sandbox.world.faults import DESCRIPTION, RETRY_AFTER_S, FaultKind, FaultSpec
from notifybot.sandbox.world.state import ChatType, user_json
from notifybot.sandbox.world.world import chat_event, message_event, user_event

SHOWN_MESSAGES_PER_CHAT = 500
HEARTBEAT_S = 15.0

Value = TypeVar("Value")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Verb = Callable[[Sandbox, "Body"], object]


def add_control_routes(app: web.Application, sandbox: Sandbox) -> None:
    """Add the routes below /sandbox/."""
    app.router.add_get("/sandbox/state", _answering(lambda _: state_json(sandbox)))
    app.router.add_get("/sandbox/calls", _answering(lambda request: _calls_json(sandbox, request)))
    app.router.add_get("/sandbox/events", _following(sandbox))
    app.router.add_delete("/sandbox/faults", _answering(lambda _: _clear_faults(sandbox)))
    app.router.add_delete(r"/sandbox/faults/{id:\d+}", _answering(lambda request: _remove_fault(sandbox, request)))
    app.router.add_get(r"/sandbox/files/{id:[\w-]+}", handing_out(sandbox))
    for name, verb in VERBS.items():
        app.router.add_post(f"/sandbox/{name}", _verb(sandbox, verb))


class Body:
    """JSON object of a request. Reading a field removes it, so that `done` can refuse unknown fields."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = dict(fields)

    def take(self, name: str, kind: type[Value]) -> Value:
        """Take a required field."""
        value = self.maybe(name, kind)
        if value is None:
            raise Refused(f'the field "{name}" is missing')
        return value

    def maybe(self, name: str, kind: type[Value]) -> Value | None:
        """Take an optional field; None if missing or null."""
        value = self._fields.pop(name, None)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and kind is float:
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Refused(f'the field "{name}" must be of type {kind.__name__}')
        return value

    def done(self) -> None:
        """Refuse unknown fields."""
        if self._fields:
            raise Refused(f'unknown field "{min(self._fields)}"')


def state_json(sandbox: Sandbox) -> JsonObject:
    """Return the state that a page loads first; it then follows the events after `last_event`."""
    world = sandbox.world
    chats = world.chats.values()
    return {
        "bot": user_json(world.bot),
        "users": [user_event(user) for user in world.users.values()],
        "chats": [chat_event(chat) for chat in chats],
        "messages": {
            str(chat.id): [
                message_event(message) for message in list(chat.messages.values())[-SHOWN_MESSAGES_PER_CHAT:]
            ]
            for chat in chats
        },
        "commands": commands_json(world),
        "faults": sandbox.faults_json(),
        "bans": [ban.as_json() for ban in world.limits.active_bans(sandbox.now())],
        "calls_into_ban": world.limits.calls_into_ban,
        "polling": {"active": sandbox.polling.is_active, "last_at": sandbox.polling.last_at},
        "pending_updates": len(world.updates),
        "now": sandbox.now(),
        "last_event": world.events.last,
    }


def _answering(answer: Callable[[web.Request], object]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return _json(answer(request))
        except Refused as refusal:
            return _json({"error": str(refusal)}, status=400)

    return handle


def _verb(sandbox: Sandbox, verb: Verb) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body = Body(_parsed(await request.read()))
            return _json(verb(sandbox, body))
        except Refused as refusal:
            return _json({"error": str(refusal)}, status=400)

    return handle


def _parsed(text: bytes) -> JsonObject:
    try:
        fields = json.loads(text or b"{}")
    except ValueError as error:
        raise Refused("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise Refused("the body is not a JSON object")
    return fields


def _json(answer: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(answer, default=str), content_type="application/json")


def _add_user(sandbox: Sandbox, body: Body) -> JsonObject:
    first_name, username = body.take("first_name", str), body.maybe("username", str)
    user_id = body.maybe("id", int)
    body.done()
    return user_event(sandbox.add_user(first_name, username=username, user_id=user_id))


def _add_chat(sandbox: Sandbox, body: Body) -> JsonObject:
    kind = body.take("type", str)
    if kind not in set(ChatType):
        raise Refused(f'"{kind}" is not a chat type')
    new = people.NewChat(
        type=ChatType(kind),
        title=body.take("title", str),
        member_ids=_numbers("member_ids", body.maybe("member_ids", list) or []),
        username=body.maybe("username", str),
        chat_id=body.maybe("id", int),
        with_bot=body.maybe("bot", bool) is not False,
        is_forum=body.maybe("is_forum", bool) is True,
    )
    body.done()
    return chat_event(people.add_chat(sandbox.world, new))


def _numbers(name: str, items: list[object]) -> tuple[int, ...]:
    if not all(isinstance(item, int) for item in items):
        raise Refused(f"{name} must be numbers")
    return tuple(item for item in items if isinstance(item, int))


def _add_topic(sandbox: Sandbox, body: Body) -> JsonObject:
    chat_id, name = body.take("chat_id", int), body.take("name", str)
    body.done()
    return {"message_thread_id": sandbox.add_topic(chat_id, name)}


def _delete_topic(sandbox: Sandbox, body: Body) -> JsonObject:
    chat_id, thread_id = body.take("chat_id", int), body.take("message_thread_id", int)
    body.done()
    sandbox.delete_topic(chat_id, thread_id)
    return {}


def _close_topic(sandbox: Sandbox, body: Body) -> JsonObject:
    """Close a topic, or with `closed` false reopen it."""
    chat_id, thread_id = body.take("chat_id", int), body.take("message_thread_id", int)
    closed = body.maybe("closed", bool) is not False
    body.done()
    (sandbox.close_topic if closed else sandbox.reopen_topic)(chat_id, thread_id)
    return {}


def _add_web_page(sandbox: Sandbox, body: Body) -> JsonObject:
    """Provide a page for Telegram's servers; the body is text, or bytes in base64."""
    url, status = body.take("url", str), body.maybe("status", int)
    content_type, location = body.maybe("content_type", str), body.maybe("location", str)
    text, encoded = body.maybe("text", str) or "", body.maybe("base64", str)
    body.done()
    try:
        content = text.encode() if encoded is None else b64decode(encoded, validate=True)
    except ValueError as error:
        raise Refused("the body is not base64") from error
    sandbox.web[url] = WebPage(content, content_type or "text/html", status or 200, location)
    return {"url": url, "size": len(content)}


def _forget_files(sandbox: Sandbox, body: Body) -> JsonObject:
    body.done()
    sandbox.forget_files()
    return {}


def _say(sandbox: Sandbox, body: Body) -> JsonObject:
    user_id, text, chat_id = body.take("user_id", int), body.take("text", str), body.maybe("chat_id", int)
    reply_to, thread_id = body.maybe("reply_to", int), body.maybe("thread_id", int)
    body.done()
    replied = None if reply_to is None else sandbox.message(user_id if chat_id is None else chat_id, reply_to)
    in_chat = None if chat_id in (None, user_id) else chat_id
    return message_event(sandbox.say(user_id, text, chat=in_chat, reply_to=replied, thread_id=thread_id))


def _press(sandbox: Sandbox, body: Body) -> JsonObject:
    message = sandbox.message(body.take("chat_id", int), body.take("message_id", int))
    user_id, data = body.take("user_id", int), body.maybe("data", str)
    row, column = body.maybe("row", int), body.maybe("column", int)
    body.done()
    return {"callback_query_id": sandbox.press(user_id, message, row=row, column=column, data=data)}


def _block(sandbox: Sandbox, body: Body) -> JsonObject:
    user_id, blocked = body.take("user_id", int), body.take("blocked", bool)
    body.done()
    sandbox.block(user_id, blocked)
    return user_event(sandbox.user(user_id))


def _deactivate(sandbox: Sandbox, body: Body) -> JsonObject:
    user_id = body.take("user_id", int)
    body.done()
    sandbox.deactivate(user_id)
    return user_event(sandbox.user(user_id))


def _kick(sandbox: Sandbox, body: Body) -> JsonObject:
    chat_id = body.take("chat_id", int)
    body.done()
    sandbox.kick(chat_id)
    return chat_event(sandbox.chat(chat_id))


def _rejoin(sandbox: Sandbox, body: Body) -> JsonObject:
    chat_id = body.take("chat_id", int)
    body.done()
    sandbox.rejoin(chat_id)
    return chat_event(sandbox.chat(chat_id))


def _migrate(sandbox: Sandbox, body: Body) -> JsonObject:
    chat_id = body.take("chat_id", int)
    body.done()
    return {"to": sandbox.migrate(chat_id).id}


def _remove(sandbox: Sandbox, body: Body) -> JsonObject:
    message = sandbox.message(body.take("chat_id", int), body.take("message_id", int))
    body.done()
    sandbox.remove(message)
    return {}


def _add_fault(sandbox: Sandbox, body: Body) -> JsonObject:
    kind = body.take("kind", str)
    if kind not in set(FaultKind):
        raise Refused(f'"{kind}" is not a fault; known faults: {", ".join(FaultKind)}')
    spec = FaultSpec(
        kind=FaultKind(kind),
        method=body.maybe("method", str),
        chat_id=body.maybe("chat_id", int),
        times=body.maybe("times", int),
        seconds=body.maybe("seconds", float),
        after=body.maybe("after", int) or 0,
        error_code=body.maybe("error_code", int),
        description=body.maybe("description", str) or DESCRIPTION,
        retry_after=body.maybe("retry_after", int) or RETRY_AFTER_S,
        result=body.maybe("result", object),
    )
    body.done()
    return sandbox.add_fault(spec).as_json()


VERBS: dict[str, Verb] = {
    "users": _add_user,
    "chats": _add_chat,
    "topics": _add_topic,
    "close_topic": _close_topic,
    "delete_topic": _delete_topic,
    "web": _add_web_page,
    "forget_files": _forget_files,
    "say": _say,
    "press": _press,
    "block": _block,
    "deactivate": _deactivate,
    "kick": _kick,
    "rejoin": _rejoin,
    "migrate": _migrate,
    "remove": _remove,
    "faults": _add_fault,
}


def _clear_faults(sandbox: Sandbox) -> JsonObject:
    sandbox.clear_faults()
    return {}


def _remove_fault(sandbox: Sandbox, request: web.Request) -> JsonObject:
    sandbox.remove_fault(int(request.match_info["id"]))
    return {}


def _calls_json(sandbox: Sandbox, request: web.Request) -> JsonObject:
    calls = sandbox.calls.since(_since(request))
    return {"calls": [call.as_json() for call in calls], "last": sandbox.calls.last}


def _since(request: web.Request) -> int:
    """Read the reader's position; after a lost connection, a browser sends it as Last-Event-ID."""
    wanted = request.headers.get("Last-Event-ID") or request.query.get("since") or "0"
    if not wanted.isdecimal():
        raise Refused("since must be a number")
    return int(wanted)


def _following(sandbox: Sandbox) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _events(sandbox, request)

    return handle


async def _events(sandbox: Sandbox, request: web.Request) -> web.StreamResponse:
    """Stream events as server-sent events, from `since` on, until the reader leaves or the sandbox closes."""
    try:
        seen = _since(request)
    except Refused as refused:
        return _json({"error": str(refused)}, status=400)
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await stream.prepare(request)
    events = sandbox.world.events
    while not sandbox.is_closing:
        if new := events.since(seen):
            seen = new[-1].n
            lines = [f"id: {event.n}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n" for event in new]
            await stream.write("".join(lines).encode())
        elif not await events.changed.wait(HEARTBEAT_S):
            await stream.write(b": still here\n\n")
    return stream
