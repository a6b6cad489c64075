"""Show who is on call, and change overrides."""

from datetime import datetime
from functools import partial

from aiohttp import web
from pydantic import Field, model_validator
from sqlmodel import Session

from notifybot.auth.permissions import Action
from notifybot.errors import NotFound
from notifybot.model.ids import is_id
from notifybot.oncall import changes, status
from notifybot.oncall.changes import Editor, NewOverride
from notifybot.schemas.responses.oncall import (
    NewOverrideDocument,
    OverrideDocument,
    RotationsDocument,
    new_override,
    override,
    rotation,
)
from notifybot.schemas.types import OneRecipient, RequestTimestamp, Span
from notifybot.times.spans import LONGEST
from notifybot.web.bodies import RequestFields, read_fields
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of


class OverrideFields(RequestFields):
    member: OneRecipient
    begins: RequestTimestamp | None = Field(default=None, alias="from")
    span: Span = Field(default=None, alias="for")
    until: RequestTimestamp | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "OverrideFields":
        if (self.span is None) == (self.until is None):
            raise ValueError("give either for, like 2h, or until, like 2026-01-31T18:30:00Z")
        return self

    def ends_at(self, now: datetime) -> datetime:
        if self.until is not None:
            return self.until
        assert self.span is not None
        begins = min(self.begins or now, now + LONGEST)  # a later start is refused anyway, and could overflow
        return max(now, begins) + self.span


async def show_all(request: web.Request) -> web.Response:
    runtime = runtime_of(request)
    look = partial(status.all_statuses, directory=runtime.directory, now=runtime.clock.now())
    found = await runtime.database.read(look)
    return json_response(RotationsDocument(rotations=[rotation(each) for each in found]))


async def create_override(request: web.Request) -> web.Response:
    fields = await read_fields(request, OverrideFields)
    runtime, now = runtime_of(request), runtime_of(request).clock.now()
    wanted = NewOverride(request.match_info["rotation"], fields.member, fields.begins, fields.ends_at(now))

    def make(session: Session) -> NewOverrideDocument:
        made = changes.add_override(session, wanted, _editor(session, request), runtime.directory, now=now)
        until = status.end_of_duty(session, runtime.directory, made, now=now)
        return new_override(made, status.names_of(session, [made.member]), until)

    return json_response(await runtime.database.write(make))


async def cancel(request: web.Request) -> web.Response:
    await read_fields(request, RequestFields)
    override_id, runtime = request.match_info["id"], runtime_of(request)
    if not is_id(override_id):
        raise NotFound("There is no override with this id.", hint="GET /api/oncall lists them.")

    def end(session: Session) -> OverrideDocument:
        editor, now = _editor(session, request), runtime.clock.now()
        found = changes.cancel_override(session, override_id, editor, runtime.directory, now=now)
        return override(found, status.names_of(session, [found.member]))

    return json_response(await runtime.database.write(end))


def _editor(session: Session, request: web.Request) -> Editor:
    caller = caller_of(request)
    return changes.editor_of_account(session, caller.account, is_admin=caller.is_admin, allowed=caller.allowed)


ROUTES = (
    Route(
        "GET",
        "/api/oncall",
        show_all,
        RotationsDocument,
        "Show who is on call, until when, who is next, and overrides.",
        Action.SEE_PEOPLE,
    ),
    Route(
        "POST",
        "/api/oncall/{rotation}/overrides",
        create_override,
        NewOverrideDocument,
        "Create an override: member, for or until, from.",
        Action.CHANGE_ROTATION,
        body=OverrideFields,
    ),
    Route(
        "DELETE",
        "/api/oncall/overrides/{id}",
        cancel,
        OverrideDocument,
        "Cancel an override.",
        Action.CHANGE_ROTATION,
        body=RequestFields,
    ),
)
