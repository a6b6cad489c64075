"""Who is on call, and who stands in."""

from datetime import datetime
from functools import partial

from aiohttp import web
from pydantic import Field, model_validator
from sqlmodel import Session

from notifybot import on_call
from notifybot.authorisation import Action
from notifybot.durations import LONGEST
from notifybot.errors import NotFound
from notifybot.ids import is_id
from notifybot.on_call import Hand, StandIn, Standing
from notifybot.rotas import Stint
from notifybot.routes import documents
from notifybot.routes.bodies import Fields, read_fields
from notifybot.routes.callers import caller_of
from notifybot.routes.documents import Document
from notifybot.routes.route import Route, runtime_of
from notifybot.routes.values import Moment, OneRecipient, Span
from notifybot.timetable import OnCallOverride


class StandInFields(Fields):
    member: OneRecipient
    begins: Moment | None = Field(default=None, alias="from")
    span: Span = Field(default=None, alias="for")
    until: Moment | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "StandInFields":
        if (self.span is None) == (self.until is None):
            raise ValueError("say for how long (for: 2h) or until when (until: 2026-01-31T18:30:00Z), and one alone")
        return self

    def ends_at(self, now: datetime) -> datetime:
        if self.until is not None:
            return self.until
        assert self.span is not None
        begins = min(self.begins or now, now + LONGEST)  # what begins later is refused, and must not overflow
        return max(now, begins) + self.span


async def show_all(request: web.Request) -> web.Response:
    """Every rotation: who is on call, until when, and who is after that."""
    runtime = runtime_of(request)
    look = partial(on_call.everything, directory=runtime.directory, now=runtime.clock.now())
    return documents.answer({"rotations": [_standing(each) for each in await runtime.database.read(look)]})


async def stand_in(request: web.Request) -> web.Response:
    """Let somebody be on call instead, for a while."""
    fields = await read_fields(request, StandInFields)
    runtime, now = runtime_of(request), runtime_of(request).clock.now()
    wanted = StandIn(request.match_info["rotation"], fields.member, fields.begins, fields.ends_at(now))

    def make(session: Session) -> Document:
        made = on_call.override(session, wanted, _hand(session, request), runtime.directory, now=now)
        return _override(made, on_call.names_of(session, [made.member]))

    return documents.answer(await runtime.database.write(make))


async def cancel(request: web.Request) -> web.Response:
    """End an override before its time."""
    await read_fields(request, Fields)
    override_id, runtime = request.match_info["id"], runtime_of(request)
    if not is_id(override_id):
        raise NotFound("There is no override with this id.", hint="GET /api/oncall shows those that stand.")

    def end(session: Session) -> Document:
        hand, now = _hand(session, request), runtime.clock.now()
        found = on_call.cancel(session, override_id, hand, runtime.directory, now=now)
        return _override(found, on_call.names_of(session, [found.member]))

    return documents.answer(await runtime.database.write(end))


def _hand(session: Session, request: web.Request) -> Hand:
    caller = caller_of(request)
    return on_call.hand_of_account(session, caller.account, is_admin=caller.is_admin, allowed=caller.allowed)


def _standing(found: Standing) -> Document:
    return {
        "rotation": found.rotation,
        "time_zone": found.rota.zone,
        **_stint(found, found.now),
        "handover_at": documents.moment(found.handover),
        "next": [_stint(found, stint) for stint in found.stints[1:]],
        "overrides": [_override(each, found.names) for each in found.overrides],
    }


def _stint(found: Standing, stint: Stint) -> Document:
    """`on_call`: recipients, as the config names them; `names`: how people see them."""
    return {
        "on_call": list(stint.duty.members),
        "names": [found.names[member] for member in stint.duty.members],
        "reason": stint.duty.reason,
        "from": documents.moment(stint.starts_at),
        "until": documents.moment(stint.until),
    }


def _override(found: OnCallOverride, names: on_call.Names) -> Document:
    return {
        "id": found.id,
        "rotation": found.rotation,
        "member": found.member,
        "name": names[found.member],
        "from": documents.moment(found.starts_at),
        "until": documents.moment(found.ends_at),
        "created_at": documents.moment(found.created_at),
        "created_by": found.created_by,
        "cancelled_at": documents.moment(found.cancelled_at),
    }


ROUTES = (
    Route("GET", "/api/oncall", show_all, "Who is on call, until when, who is next, who stands in.", Action.SEE_PEOPLE),
    Route(
        "POST",
        "/api/oncall/{rotation}/overrides",
        stand_in,
        "Let somebody stand in: member, for or until, from.",
        Action.CHANGE_ROTATION,
        body=StandInFields,
    ),
    Route(
        "DELETE",
        "/api/oncall/overrides/{id}",
        cancel,
        "End an override before its time.",
        Action.CHANGE_ROTATION,
        body=Fields,
    ),
)
