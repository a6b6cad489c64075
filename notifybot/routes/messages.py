"""Handing over messages, looking at them, and answering them."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator

from notifybot import answers, messages, reading
from notifybot.acceptance import Accepted
from notifybot.errors import NotFound
from notifybot.ids import is_id
from notifybot.lifecycle import State
from notifybot.models import Message
from notifybot.reading import Detail, Filter
from notifybot.rendering import Look
from notifybot.routes import documents
from notifybot.routes.bodies import Fields, read_fields, read_query
from notifybot.routes.callers import Caller, caller_of
from notifybot.routes.fields import ChangeFields
from notifybot.routes.problems import FieldProblem, InvalidFields
from notifybot.routes.route import Handler, Route, runtime_of
from notifybot.routes.sending import plain_reason, read_ingest, read_photo, read_send
from notifybot.routes.values import Label, Moment
from notifybot.runtime import Runtime

LONGEST_WAIT_S = 30
MOST_A_PAGE = 500


def _number(least: float, most: float, kind: type[int] | type[float] = float) -> BeforeValidator:
    """A number in a query, where everything is text."""

    def read(value: object) -> float:
        wanted = f"this must be a {'whole ' if kind is int else ''}number from {least:g} to {most:g}"
        form = r"[0-9]{1,9}" if kind is int else r"[0-9]{1,9}(\.[0-9]{1,9})?"
        if not isinstance(value, str) or not re.fullmatch(form, value) or not least <= kind(value) <= most:
            raise ValueError(wanted)
        return kind(value)

    return BeforeValidator(read)


def _truth(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("this must be true or false")
    return value == "true"


def _state(value: object) -> State:
    try:
        return State(str(value))
    except ValueError:
        raise ValueError(f"this is one of {', '.join(State)}") from None


class WaitQuery(Fields):
    wait: Annotated[float, _number(0, LONGEST_WAIT_S)] = 0.0


class ListQuery(Fields):
    status: Annotated[State | None, BeforeValidator(_state)] = None
    open: Annotated[bool, BeforeValidator(_truth)] = False
    source: Label = None
    since: Moment | None = None
    limit: Annotated[int, _number(1, MOST_A_PAGE, kind=int)] = 50
    cursor: str | None = None


async def ingest(request: web.Request) -> web.Response:
    """Accept a message; with ?wait= answer only once it is known what became of it."""
    wait_s = read_query(request, WaitQuery).wait if request.query_string else 0.0
    new = await read_ingest(request, await caller_of(request))
    runtime = runtime_of(request)
    found = await runtime.intake.accept(new)
    if wait_s:
        return await _wait(runtime, found, timedelta(seconds=wait_s))
    return documents.answer(documents.accepted(found), status=200 if found.is_duplicate else 202)


async def send(request: web.Request) -> web.Response:
    new = await read_send(request, await caller_of(request))
    return documents.answer(documents.accepted(await runtime_of(request).intake.accept(new)))


async def send_photo(request: web.Request) -> web.Response:
    new = await read_photo(request, await caller_of(request))
    return documents.answer(documents.accepted(await runtime_of(request).intake.accept(new)))


async def _wait(runtime: Runtime, found: Accepted, wait: timedelta) -> web.Response:
    """200 with the deliveries once the message has left `initiated`, 202 as it is when the time is over."""
    until = runtime.clock.now() + wait
    changed = runtime.waiters.watch(found.id)
    try:
        while True:
            detail = await runtime.database.read(partial(reading.detail, message_id=found.id))
            is_decided = detail.message.state is not State.INITIATED
            if is_decided or runtime.clock.now() >= until:
                break
            await runtime.waiters.next_change(changed, until)
    finally:
        runtime.waiters.unwatch(found.id, changed)
    accepted = replace(found, status=detail.message.state)
    document = documents.accepted(accepted) | {"deliveries": [documents.delivery(copy) for copy in detail.copies]}
    return documents.answer(document, status=200 if is_decided else 202)


async def list_messages(request: web.Request) -> web.Response:
    caller = await caller_of(request)
    query = read_query(request, ListQuery)
    if query.cursor is not None and not is_id(query.cursor):
        raise InvalidFields([FieldProblem(("cursor",), "this is no next_cursor of an earlier answer")])
    account = None if caller.is_admin else caller.account
    wanted = Filter(query.status, query.source, query.since, account, query.cursor, query.open)
    found = await runtime_of(request).database.read(partial(reading.page, wanted=wanted, limit=query.limit + 1))
    page = found[: query.limit]
    next_cursor = page[-1].id if len(found) > query.limit else None
    return documents.answer({"messages": [documents.message(each) for each in page], "next_cursor": next_cursor})


async def show(request: web.Request) -> web.Response:
    caller = await caller_of(request)
    return documents.answer(documents.detail(await _detail(request, caller)))


async def _detail(request: web.Request, caller: Caller) -> Detail:
    message_id = request.match_info["id"].lower()
    if not is_id(message_id):
        raise NotFound("A message's id looks like 01890a5d-ac96-774b-bcce-b302099a8057; this one does not.")
    detail = await runtime_of(request).database.read(partial(reading.detail, message_id=message_id))
    if not caller.is_admin and detail.message.account != caller.account:
        raise NotFound("There is no message of yours with this id.", hint="Admins see everybody's messages.")
    return detail


def _answering(verb: Callable[..., Message]) -> Handler:
    """A route that changes one message and answers with it."""

    async def change(request: web.Request) -> web.Response:
        await read_fields(request, Fields)
        caller = await caller_of(request)
        runtime = runtime_of(request)
        message_id = (await _detail(request, caller)).message.id
        actor, now = messages.by_account(caller.account), runtime.clock.now()
        await runtime.database.write(partial(verb, message_id=message_id, actor=actor, now=now))
        return await show(request)

    return change


async def change(request: web.Request) -> web.Response:
    """Give a message a newer text or title: the posts that show it are edited."""
    caller = await caller_of(request)
    fields = await read_fields(request, ChangeFields)
    runtime = runtime_of(request)
    message = (await _detail(request, caller)).message
    reason = await plain_reason(fields.content, Look.of(message.look).parse_mode)
    newest = {name: getattr(fields, name) for name in fields.model_fields_set}
    actor, now = messages.by_account(caller.account), runtime.clock.now()
    revise = partial(messages.revise, message_id=message.id, actor=actor, newest=newest, now=now, why_plain=reason)
    await runtime.database.write(revise)
    return await show(request)


ROUTES = (
    Route("POST", "/api/ingest", ingest, "Hand over a message; an alert unless acknowledge is false. ?wait=SECONDS"),
    Route("POST", "/send", send, "Hand over a notice to a person."),
    Route("POST", "/send_photo", send_photo, "Hand over a picture for a person: its path, or uploaded as photo."),
    Route(
        "GET",
        "/api/messages",
        list_messages,
        "List messages, newest first: ?status= &open=true &source= &since= &limit= &cursor=",
    ),
    Route("GET", "/api/messages/{id}", show, "One message with its deliveries and its timeline."),
    Route("PATCH", "/api/messages/{id}", change, "Give a message a newer content or title; its posts are edited."),
    Route("POST", "/api/messages/{id}/acknowledge", _answering(answers.acknowledge), "Answer an alert."),
    Route("POST", "/api/messages/{id}/close", _answering(answers.close), "Close an alert."),
    Route("POST", "/api/messages/{id}/cancel", _answering(answers.cancel), "Take a message back before it is shown."),
)
