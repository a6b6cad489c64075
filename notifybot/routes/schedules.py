"""Schedule messages, list schedules, and change them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar

from aiohttp import web
from pydantic import BeforeValidator, WithJsonSchema, model_validator
from sqlmodel import Session

from notifybot.auth import permissions
from notifybot.auth.permissions import Action, Caller
from notifybot.errors import NotFound
from notifybot.messages import queries
from notifybot.messages.new_message import NewMessage, check_first_time
from notifybot.model import actors
from notifybot.model.ids import is_id
from notifybot.people import people
from notifybot.recipients.address import Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.allowed import check_may_notify
from notifybot.recipients.lookup import RecipientQuery
from notifybot.rendering.parts import NewFile
from notifybot.schedules import changes
from notifybot.schedules import queries as schedules
from notifybot.schedules.queries import ScheduleDetails
from notifybot.schemas.messages import SendFields
from notifybot.schemas.responses import schedules as documents
from notifybot.schemas.responses.schedules import (
    PendingDocument,
    PreviewDocument,
    ScheduleDocument,
    SchedulesDocument,
)
from notifybot.schemas.to_message import message_of
from notifybot.schemas.types import (
    Label,
    LocalTimestamp,
    MessageText,
    Recipients,
    RepeatRule,
    RequestTimestamp,
    Zone,
    in_utc,
)
from notifybot.times import recurrence
from notifybot.web.allowance import accept
from notifybot.web.bodies import FORM, RequestFields, check, read_fields, read_form_fields
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.long_lists import list_response
from notifybot.web.multipart import is_form, read_form
from notifybot.web.problems import FieldProblem, InvalidFields
from notifybot.web.route import Route, runtime_of

MAX_PENDING = 500


def _split(value: object) -> object:
    """Split `1, 2` into a list."""
    return [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else value


def _or_none(value: object) -> object:
    """Treat an empty form field as missing."""
    return None if value == "" else value


class ScheduleMessageFields(RequestFields):
    target_user_id: Annotated[Recipients, BeforeValidator(_split), WithJsonSchema({"type": "string"})] = None
    message: MessageText
    scheduled_timestamp: RequestTimestamp
    repeat: Annotated[RepeatRule, BeforeValidator(_or_none)] = None
    time_zone: Annotated[Zone, BeforeValidator(_or_none)] = None
    client_id: Annotated[Label, BeforeValidator(_or_none)] = None
    file_fields: ClassVar[tuple[str, ...]] = ("files",)

    @model_validator(mode="after")
    def _has_recipients(self) -> "ScheduleMessageFields":
        if self.target_user_id is None:
            raise ValueError("target_user_id is required: one or more recipients, separated by commas")
        return self


class PreviewFields(RequestFields):
    repeat: RepeatRule
    time_zone: Zone = None
    begins_at: LocalTimestamp = None


class RepeatFields(RequestFields):
    repeat: RepeatRule = None
    time_zone: Zone = None

    @model_validator(mode="after")
    def _changes_something(self) -> "RepeatFields":
        if self.repeat is None and self.time_zone is None:
            raise ValueError("say what to change: repeat, time_zone or both")
        return self


async def schedule_message(request: web.Request) -> web.Response:
    """Hand over a message for later: its text, and then each of its files as a document."""
    fields, files = await _read(request)
    new = await _later(request, caller_of(request), fields, files)
    runtime = runtime_of(request)
    found = await accept(request, new)
    detail = await runtime.database.read(partial(queries.details, message_id=found.id))
    return json_response(documents.pending(detail, None if found.schedule_id is None else found.next_times))


async def _read(request: web.Request) -> tuple[ScheduleMessageFields, tuple[NewFile, ...]]:
    if is_form(request):
        fields = ScheduleMessageFields
        form = await read_form(request, runtime_of(request).files, fields, fields.file_fields)
        for refusal in filter(None, (file.refusal for file in form.files)):
            raise refusal
        return check(fields, form.fields), form.files
    if request.content_type == FORM:
        return check(ScheduleMessageFields, await read_form_fields(request)), ()
    return await read_fields(request, ScheduleMessageFields), ()


async def _later(
    request: web.Request, caller: Caller, fields: ScheduleMessageFields, files: tuple[NewFile, ...]
) -> NewMessage:
    given = {
        "to": list(fields.target_user_id or ()),
        "text": fields.message,
        "send_at": fields.scheduled_timestamp.isoformat(),
        "repeat": fields.repeat,
        "time_zone": fields.time_zone,
        "client_id": fields.client_id,
    }
    usual = check(SendFields, given)
    new = await message_of(request, caller, usual, usual.text, files)
    at = fields.scheduled_timestamp
    past_time = at.isoformat() if at <= runtime_of(request).clock.now() and new.repeat is None else None
    look = replace(new.look, text_first=bool(files), past_time=past_time)
    return new._replace(recipients=await _known(request, new.recipients), look=look)


async def _known(request: web.Request, targets: Sequence[Recipient]) -> tuple[Recipient, ...]:
    """Turn unknown private chats into unknown people: they are refused now, with the other unknown ids, and not only
    when the message is due."""
    ids = [each.name for each in targets if each.kind is RecipientKind.CHAT and each.name.isdigit()]
    known = await runtime_of(request).database.read(partial(people.readers_of_chats, chat_ids=ids)) if ids else {}
    return tuple(
        person_recipient(each.name) if each.name in ids and each.name not in known else each for each in targets
    )


async def pending_messages(request: web.Request) -> web.StreamResponse:
    """List scheduled messages that are not sent yet, the next one first."""
    account, runtime = permissions.visible_account(caller_of(request)), runtime_of(request)
    asked = partial(schedules.pending, account=account, now=runtime.clock.now(), limit=MAX_PENDING)
    found = await runtime.database.read(asked)
    return await list_response(request, found, _some_pending)


def _some_pending(session: Session, ids: Sequence[str]) -> Sequence[PendingDocument]:
    return [documents.pending(each) for each in schedules.some_pending(session, ids)]


async def preview(request: web.Request) -> web.Response:
    """Show the next times of a repeat without creating a schedule."""
    fields = await read_fields(request, PreviewFields)
    if fields.repeat is None:
        raise InvalidFields([FieldProblem(("repeat",), "this field is required")])
    zone, now = fields.time_zone or "UTC", runtime_of(request).clock.now()
    begins_at = in_utc(fields.begins_at, fields.time_zone)
    times = recurrence.upcoming(recurrence.parse(fields.repeat), zone, begins_at, now=now)
    check_first_time(times[0] if times else begins_at, now=now)
    return json_response(PreviewDocument(repeat=fields.repeat, time_zone=zone, next_times=times))


async def list_schedules(request: web.Request) -> web.StreamResponse:
    account = permissions.visible_account(caller_of(request))
    found = await runtime_of(request).database.read(partial(schedules.page, account=account))
    return await list_response(request, found, _some_schedules, within=(b'{"schedules":[', b"]}"))


def _some_schedules(session: Session, ids: Sequence[str]) -> Sequence[ScheduleDocument]:
    return [documents.schedule(each) for each in schedules.some_schedules(session, ids)]


async def show(request: web.Request) -> web.Response:
    return json_response(documents.schedule(await _find(request, Action.READ)))


async def _find(request: web.Request, action: Action) -> ScheduleDetails:
    """Return the schedule in the path, if the caller may see it."""
    unknown = NotFound("You have no schedule with this id.", hint="GET /api/schedules lists the schedules.")
    schedule_id = request.match_info["id"].lower()
    if not is_id(schedule_id):
        raise unknown
    found = await runtime_of(request).database.read(partial(schedules.find, schedule_id=schedule_id))
    try:
        permissions.check_owner(caller_of(request), action, found.schedule.account)
    except NotFound:
        raise unknown from None
    return found


async def _changed(request: web.Request, verb: Callable[..., ScheduleDetails], **how: object) -> web.Response:
    found = await _find(request, Action.ANSWER)
    actor, now = actors.by_account(caller_of(request).account), runtime_of(request).clock.now()
    change = partial(verb, schedule_id=found.schedule.id, actor=actor, now=now, **how)
    document = documents.schedule(await runtime_of(request).database.write(change))
    is_shown = permissions.may(caller_of(request), Action.READ)
    return json_response(document if is_shown else replace(document, message=None))


async def _check_may_notify(request: web.Request) -> None:
    """Raise an error unless the caller may still notify the recipients. Ending a schedule needs no such check."""
    found, runtime, caller = await _find(request, Action.ANSWER), runtime_of(request), caller_of(request)
    if found.waiting is not None:
        whom = RecipientQuery(caller.account, tuple(map(recipient_of, found.waiting.recipients)), caller.allowed)
        now, directory = runtime.clock.now(), runtime.directory
        await runtime.database.write(partial(check_may_notify, whom=whom, now=now, directory=directory))


async def end(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    return await _changed(request, changes.cancel)


async def pause(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    return await _changed(request, changes.pause)


async def resume(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    await _check_may_notify(request)
    return await _changed(request, changes.resume)


async def change(request: web.Request) -> web.Response:
    fields = await read_fields(request, RepeatFields)
    await _check_may_notify(request)
    repeat = None if fields.repeat is None else recurrence.parse(fields.repeat)
    return await _changed(request, changes.change, repeat=repeat, time_zone=fields.time_zone)


ONE = "/api/schedules/{id}"
ROUTES = (
    Route(
        "POST",
        "/schedule-message",
        schedule_message,
        PendingDocument,
        "Schedule a message, with files: target_user_id, message, scheduled_timestamp.",
        Action.SEND,
        body=ScheduleMessageFields,
        takes_form=True,
    ),
    Route(
        "GET",
        "/pending-messages",
        pending_messages,
        list[PendingDocument],
        "List scheduled messages that are not sent yet.",
        Action.READ,
    ),
    Route(
        "POST",
        "/api/schedules/preview",
        preview,
        PreviewDocument,
        "Show the next times of a repeat, without creating a schedule.",
        Action.SEND,
        body=PreviewFields,
    ),
    Route("GET", "/api/schedules", list_schedules, SchedulesDocument, "List schedules.", Action.READ),
    Route("GET", ONE, show, ScheduleDocument, "Show a schedule and its next message.", Action.READ),
    Route("PATCH", ONE, change, ScheduleDocument, "Change repeat or time_zone.", Action.ANSWER, body=RepeatFields),
    Route(
        "DELETE",
        ONE,
        end,
        ScheduleDocument,
        "End a schedule and cancel its next message.",
        Action.ANSWER,
        body=RequestFields,
    ),
    Route("POST", f"{ONE}/pause", pause, ScheduleDocument, "Pause a schedule.", Action.ANSWER, body=RequestFields),
    Route("POST", f"{ONE}/resume", resume, ScheduleDocument, "Resume a schedule.", Action.ANSWER, body=RequestFields),
)
