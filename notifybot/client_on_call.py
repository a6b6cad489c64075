"""Who is on call, from Python: `Client().on_call()`. Standard library only."""

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from notifybot.client_calls import Calls
from notifybot.client_errors import Refused
from notifybot.client_ids import Kind
from notifybot.client_json import Fields, JsonObject
from notifybot.client_options import Span, given, whole_seconds, written
from notifybot.unix_http import Request, json_body

OVERRIDES = Kind("override", "/api/oncall/overrides", hint="`notifybot oncall show ROTATION` shows the ids.")


@dataclass(frozen=True)
class Stint:
    """The same recipients on call without a break: nobody, where `members` is empty. `names`: how people see them.

    `reason`: turn, override, or otherwise, where it is outside of the rotation's hours. `until` None: no end is
    in sight.
    """

    members: tuple[str, ...]
    names: tuple[str, ...]
    reason: str
    begins: datetime
    until: datetime | None


@dataclass(frozen=True)
class Override:
    """Somebody else is on call for a while. `created_by` is for example `account:alice` or `telegram:42`."""

    id: str
    rotation: str
    member: str
    name: str
    begins: datetime
    until: datetime
    created_by: str
    cancelled_at: datetime | None
    document: JsonObject


@dataclass(frozen=True)
class Rotation:
    """How a rotation stands: who is on call `now`, and the few `after` that; `overrides` that have not ended."""

    name: str
    time_zone: str
    now: Stint
    after: tuple[Stint, ...]
    handover_at: datetime | None
    overrides: tuple[Override, ...]
    document: JsonObject


class OnCall:
    """Calls about rotations. Overrides are for who takes turns in one, and for admins."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def everybody(self) -> tuple[Rotation, ...]:
        """All rotations, in the order of the config."""
        fields = Fields(self._calls.call(Request("GET", "/api/oncall")))
        return tuple(_rotation(each) for each in fields.each("rotations"))

    def override(
        self,
        rotation: str,
        member: str,
        *,
        span: Span | None = None,
        until: datetime | None = None,
        begins: datetime | None = None,
    ) -> Override:
        """Put `member` on call, for a `span` or `until` a moment (aware), from now on or from `begins` on.

        The latest override counts. As it would be made twice, a lost answer is not tried again.
        """
        if (span is None) == (until is None):
            raise Refused("An override needs a span or an end.", hint="Give one of the two.")
        wanted = {"member": member, "for": whole_seconds(span), "until": written(until), "from": written(begins)}
        body = json_body(json.dumps(given(wanted)).encode("ascii"))
        path = f"/api/oncall/{quote(rotation, safe='')}/overrides"
        return _override(Fields(self._calls.attempt(Request("POST", path, body))))

    def find(self, prefix: str) -> str:
        """The full id of the override that begins so. Raise Refused where there is none, or more than one."""
        ids = [override.id for rotation in self.everybody() for override in rotation.overrides]
        return OVERRIDES.find(prefix, sorted(ids, reverse=True))

    def cancel(self, override_id: str) -> Override:
        """End an override before its time; one that has ended stays as it is."""
        return _override(Fields(self._calls.call(Request("DELETE", OVERRIDES.path(override_id)))))


def _rotation(fields: Fields) -> Rotation:
    return Rotation(
        name=fields.text("rotation"),
        time_zone=fields.text("time_zone"),
        now=_stint(fields),
        after=tuple(_stint(each) for each in fields.each("next")),
        handover_at=fields.moment_or_none("handover_at"),
        overrides=tuple(_override(each) for each in fields.each("overrides")),
        document=fields.document,
    )


def _stint(fields: Fields) -> Stint:
    return Stint(
        members=fields.texts("on_call"),
        names=fields.texts("names"),
        reason=fields.text("reason"),
        begins=fields.moment("from"),
        until=fields.moment_or_none("until"),
    )


def _override(fields: Fields) -> Override:
    return Override(
        id=fields.text("id"),
        rotation=fields.text("rotation"),
        member=fields.text("member"),
        name=fields.text("name"),
        begins=fields.moment("from"),
        until=fields.moment("until"),
        created_by=fields.text("created_by"),
        cancelled_at=fields.moment_or_none("cancelled_at"),
        document=fields.document,
    )
