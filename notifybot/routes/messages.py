"""Send messages, list them, and change one: acknowledge, snooze, close, cancel, retry, edit."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from sqlmodel import Session

from notifybot.alerts import acknowledge, close, unacknowledge
from notifybot.alerts import snooze as alerts_snooze
from notifybot.auth import permissions
from notifybot.auth.permissions import Action
from notifybot.errors import NotFound
from notifybot.messages import edit, queries, retry
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.messages.queries import MessageDetails, MessageFilter
from notifybot.model import actors
from notifybot.model.ids import is_id
from notifybot.model.messages import Message
from notifybot.model.states import State
from notifybot.recipients.address import recipient_of
from notifybot.recipients.allowed import check_may_notify
from notifybot.recipients.lookup import RecipientQuery
from notifybot.rendering.parts import Appearance
from notifybot.runtime import Runtime
from notifybot.schedules import cancel
from notifybot.schemas.messages import EditFields, IngestFields, PhotoFields, SendFields
from notifybot.schemas.responses import messages as documents
from notifybot.schemas.responses.messages import (
    AcceptedDocument,
    MessageDetailDocument,
    MessageDocument,
    MessagesDocument,
)
from notifybot.schemas.to_message import plain_message, plain_reason, read_ingest, read_photo, read_send
from notifybot.schemas.types import Label, QueryFlag, RequestTimestamp, Span
from notifybot.storage.under_way import text_work
from notifybot.web.allowance import accept
from notifybot.web.bodies import RequestFields, read_fields, read_query
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.long_lists import list_response
from notifybot.web.problems import FieldProblem, InvalidFields
from notifybot.web.route import Handler, Route, ShortRoute, runtime_of

LONGEST_WAIT_S = 30
MAX_PAGE = 500


def _number(minimum: float, maximum: float, kind: type[int] | type[float] = float) -> BeforeValidator:
    """Read a number in a query, where all values are text."""

    def read(value: object) -> float:
        wanted = f"this must be a {'whole ' if kind is int else ''}number from {minimum:g} to {maximum:g}"
        form = r"[0-9]{1,9}" if kind is int else r"[0-9]{1,9}(\.[0-9]{1,9})?"
        if not isinstance(value, str) or not re.fullmatch(form, value) or not minimum <= kind(value) <= maximum:
            raise ValueError(wanted)
        return kind(value)

    return BeforeValidator(read)


def _state(value: object) -> State:
    try:
        return State(str(value))
    except ValueError:
        raise ValueError(f"this must be one of {', '.join(State)}") from None


def _between(minimum: float, maximum: float, kind: str) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, "minimum": minimum, "maximum": maximum})


class WaitQuery(RequestFields):
    wait: Annotated[float, _number(0, LONGEST_WAIT_S), _between(0, LONGEST_WAIT_S, "number")] = 0.0


class ListQuery(RequestFields):
    status: Annotated[State | None, BeforeValidator(_state)] = None
    open: QueryFlag = False
    source: Label = None
    since: RequestTimestamp | None = None
    limit: Annotated[int, _number(1, MAX_PAGE, kind=int), _between(1, MAX_PAGE, "integer")] = 50
    cursor: str | None = None


class SnoozeFields(RequestFields):
    span: Span = Field(default=None, alias="for")
    until: RequestTimestamp | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "SnoozeFields":
        if (self.span is None) == (self.until is None):
            raise ValueError("give either for, like 1h, or until, like 2026-01-31T18:30:00Z")
        return self


async def ingest(request: web.Request) -> web.Response:
    """Accept a message; with ?wait=, respond once it is sent or has failed."""
    wait_s = read_query(request, WaitQuery).wait if request.query_string else 0.0
    new = await read_ingest(request, caller_of(request))
    runtime = runtime_of(request)
    found = await accept(request, new)
    if wait_s:
        return await _wait(runtime, new, found, timedelta(seconds=wait_s))
    return _accepted(new, found)


def _accepted(new: NewMessage, found: Acceptance) -> web.Response:
    return json_response(documents.accepted(found, new), status=200 if found.is_duplicate else 202)


async def send(request: web.Request) -> web.Response:
    new = await read_send(request, caller_of(request))
    return json_response(documents.accepted(await accept(request, new), new))


async def send_photo(request: web.Request) -> web.Response:
    new = await read_photo(request, caller_of(request))
    return json_response(documents.accepted(await accept(request, new), new))


async def _wait(runtime: Runtime, new: NewMessage, found: Acceptance, wait: timedelta) -> web.Response:
    """Answer 200 with the deliveries once the message has left `initiated`, 202 after `wait`."""
    until = runtime.clock.now() + wait
    changed = runtime.watchers.watch(found.id)
    try:
        while True:
            detail = await runtime.database.read(partial(queries.details, message_id=found.id))
            is_decided = detail.message.state is not State.INITIATED
            if is_decided or runtime.clock.now() >= until:
                break
            until = min(until, runtime.clock.now() + wait)  # the clock may have been set
            await runtime.watchers.next_change(changed, until)
    finally:
        runtime.watchers.unwatch(found.id, changed)
    document = documents.accepted(found, new)
    document.status = detail.message.state
    document.deliveries = [documents.delivery(copy) for copy in detail.deliveries]
    return json_response(document, status=200 if is_decided else 202)


async def list_messages(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ListQuery)
    if query.cursor is not None and not is_id(query.cursor):
        raise InvalidFields([FieldProblem(("cursor",), "this must be the next_cursor of an earlier response")])
    account = permissions.visible_account(caller_of(request))
    wanted = MessageFilter(query.status, query.source, query.since, account, query.cursor, query.open)
    page, has_more = await runtime_of(request).database.read(partial(queries.page, wanted=wanted, limit=query.limit))
    end = f'],"next_cursor":"{page[-1][0]}"}}' if has_more else '],"next_cursor":null}'
    return await list_response(request, page, _some_messages, within=(b'{"messages":[', end.encode()))


def _some_messages(session: Session, ids: Sequence[str]) -> Sequence[MessageDocument]:
    return [documents.message(each) for each in queries.some(session, ids)]


async def show(request: web.Request) -> web.Response:
    return json_response(documents.message_detail(await _detail(request, Action.READ)))


async def _changed(request: web.Request) -> web.Response:
    """Answer with the message after a change; without its contents to a caller who may not read."""
    document = documents.message_detail(await _detail(request, Action.ANSWER))
    return json_response(document if permissions.may(caller_of(request), Action.READ) else documents.redacted(document))


async def _check_may_notify(request: web.Request, message: Message) -> None:
    """Raise Forbidden unless the caller may notify the recipients, who were perhaps chosen with more rights."""
    runtime, caller = runtime_of(request), caller_of(request)
    whom = RecipientQuery(caller.account, tuple(map(recipient_of, message.recipients)), caller.allowed)
    now = runtime.clock.now()
    await runtime.database.write(partial(check_may_notify, whom=whom, now=now, directory=runtime.directory))


async def _detail(request: web.Request, action: Action) -> MessageDetails:
    """Return the message in the path, if the caller may see it."""
    message_id = request.match_info["id"].lower()
    if not is_id(message_id):
        raise NotFound("This is not a message id; they look like 01890a5d-ac96-774b-bcce-b302099a8057.")
    detail = await runtime_of(request).database.read(partial(queries.details, message_id=message_id))
    permissions.check_owner(caller_of(request), action, detail.message.account)
    return detail


def _changing(
    verb: Callable[..., Message],
    more: Callable[[Runtime], Mapping[str, object]] | None = None,
    *,
    notifies: bool = False,
) -> Handler:
    """Make a handler that changes a message and returns it. `more`: additional arguments of the verb. `notifies`: its
    recipients are notified again, even if it ended the process before."""

    async def change(request: web.Request) -> web.Response:
        await read_fields(request, RequestFields)
        runtime = runtime_of(request)
        message = (await _detail(request, Action.ANSWER)).message
        if notifies:
            await _check_may_notify(request, message)
            await runtime.under_way.forgive(text_work(message.content, Appearance.of(message.look).parse_mode))
        actor, now = actors.by_account(caller_of(request).account), runtime.clock.now()
        known = {} if more is None else more(runtime)
        await runtime.database.write(partial(verb, message_id=message.id, actor=actor, now=now, **known))
        return await _changed(request)

    return change


async def snooze(request: web.Request) -> web.Response:
    fields = await read_fields(request, SnoozeFields)
    runtime = runtime_of(request)
    message = (await _detail(request, Action.ANSWER)).message
    await _check_may_notify(request, message)
    actor, now = actors.by_account(caller_of(request).account), runtime.clock.now()
    until, by_clock = fields.until or now + (fields.span or timedelta()), fields.until is not None
    verb = partial(alerts_snooze.snooze, message_id=message.id, actor=actor, until=until, now=now, by_clock=by_clock)
    await runtime.database.write(verb)
    return await _changed(request)


async def change(request: web.Request) -> web.Response:
    """Change the content or title of a message."""
    fields = await read_fields(request, EditFields)
    runtime, caller = runtime_of(request), caller_of(request)
    message = (await _detail(request, Action.ANSWER)).message
    await _check_may_notify(request, message)
    now = runtime.clock.now()
    reason = await plain_reason(runtime, fields.content, Appearance.of(message.look).parse_mode)
    newest = {name: getattr(fields, name) for name in fields.model_fields_set}
    actor = actors.by_account(caller.account)
    now = runtime.clock.now()
    revise = partial(edit.edit, message_id=message.id, actor=actor, newest=newest, now=now, why_plain=reason)
    await runtime.database.write(revise)
    return await _changed(request)


ONE = "/api/messages/{id}"


def _action(verb: str, handler: Handler, summary: str, body: type[RequestFields] = RequestFields) -> Route:
    return Route("POST", f"{ONE}/{verb}", handler, MessageDetailDocument, summary, Action.ANSWER, body=body)


SHORT_ROUTES = {("POST", "/api/ingest"): ShortRoute(Action.SEND, plain_message, _accepted)}
ROUTES = (
    Route(
        "POST",
        "/api/ingest",
        ingest,
        AcceptedDocument,
        "Send a message: an alert unless acknowledge is false. ?wait=SECONDS waits until it is sent.",
        Action.SEND,
        body=IngestFields,
        query=WaitQuery,
        statuses=(200, 202),
        takes_form=True,
    ),
    Route(
        "POST",
        "/send",
        send,
        AcceptedDocument,
        "Send a notice to a person.",
        Action.SEND,
        body=SendFields,
        takes_form=True,
    ),
    Route(
        "POST",
        "/send_photo",
        send_photo,
        AcceptedDocument,
        "Send a picture to a person: photo_path, or the file as photo.",
        Action.SEND,
        body=PhotoFields,
        takes_form=True,
    ),
    Route(
        "GET",
        "/api/messages",
        list_messages,
        MessagesDocument,
        "List messages, newest first: ?status= &open=true &source= &since= &limit= &cursor=",
        Action.READ,
        query=ListQuery,
    ),
    Route("GET", ONE, show, MessageDetailDocument, "Show a message, its deliveries and timeline.", Action.READ),
    Route(
        "PATCH",
        ONE,
        change,
        MessageDetailDocument,
        "Change the content or title of a message; its posts are edited.",
        Action.ANSWER,
        body=EditFields,
    ),
    _action(
        "acknowledge",
        _changing(acknowledge.acknowledge, lambda runtime: {"closes": runtime.config.alerts.close_on_acknowledge}),
        "Acknowledge an alert.",
    ),
    _action(
        "unacknowledge",
        _changing(unacknowledge.unacknowledge, lambda runtime: {"directory": runtime.directory}, notifies=True),
        "Undo an acknowledgement, unless acknowledging closes alerts.",
    ),
    _action("snooze", snooze, "Snooze an alert: for a span, or until a time.", SnoozeFields),
    _action("close", _changing(close.close), "Close an alert."),
    _action("cancel", _changing(cancel.cancel_message), "Cancel a message before it is sent."),
    _action("retry", _changing(retry.retry, notifies=True), "Retry failed deliveries."),
)
