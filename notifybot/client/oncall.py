"""Who is on call, from Python: `Client().on_call()`. Standard library only."""

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from notifybot.client.errors import Refused
from notifybot.client.ids import IdKind
from notifybot.client.json_fields import JsonFields, JsonObject
from notifybot.client.options import Span, rfc3339, whole_seconds, without_none
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body

OVERRIDES = IdKind("override", "/api/oncall/overrides", hint="`notifybot oncall show ROTATION` shows the ids.")


@dataclass(frozen=True)
class ShiftInfo:
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
class OverrideInfo:
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
class RotationInfo:
    """How a rotation stands: who is on call `now`, and the few `after` that; `overrides` that have not ended."""

    name: str
    time_zone: str
    now: ShiftInfo
    after: tuple[ShiftInfo, ...]
    handover_at: datetime | None
    overrides: tuple[OverrideInfo, ...]
    document: JsonObject


class OnCall:
    """Calls about rotations. Overrides are for who takes turns in one, and for admins."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everybody(self) -> tuple[RotationInfo, ...]:
        """All rotations, in the order of the config."""
        fields = JsonFields(self._calls.call(HttpRequest("GET", "/api/oncall")))
        return tuple(_rotation(each) for each in fields.each("rotations"))

    def override(
        self,
        rotation: str,
        member: str,
        *,
        span: Span | None = None,
        until: datetime | None = None,
        begins: datetime | None = None,
    ) -> OverrideInfo:
        """Put `member` on call, for a `span` or `until` a moment (aware), from now on or from `begins` on.

        The latest override counts. As it would be made twice, a lost answer is not tried again.
        """
        if (span is None) == (until is None):
            raise Refused("An override needs a span or an end.", hint="Give one of the two.")
        wanted = {"member": member, "for": whole_seconds(span), "until": rfc3339(until), "from": rfc3339(begins)}
        body = json_body(json.dumps(without_none(wanted)).encode("ascii"))
        path = f"/api/oncall/{quote(rotation, safe='')}/overrides"
        return _override(JsonFields(self._calls.attempt(HttpRequest("POST", path, body))))

    def find(self, prefix: str) -> str:
        """The full id of the override that begins so. Raise Refused where there is none, or more than one."""
        ids = [override.id for rotation in self.everybody() for override in rotation.overrides]
        return OVERRIDES.find(prefix, sorted(ids, reverse=True))

    def cancel(self, override_id: str) -> OverrideInfo:
        """End an override before its time; one that has ended stays as it is."""
        return _override(JsonFields(self._calls.call(HttpRequest("DELETE", OVERRIDES.path(override_id)))))


def _rotation(fields: JsonFields) -> RotationInfo:
    return RotationInfo(
        name=fields.text("rotation"),
        time_zone=fields.text("time_zone"),
        now=_shift(fields),
        after=tuple(_shift(each) for each in fields.each("next")),
        handover_at=fields.moment_or_none("handover_at"),
        overrides=tuple(_override(each) for each in fields.each("overrides")),
        document=fields.document,
    )


def _shift(fields: JsonFields) -> ShiftInfo:
    return ShiftInfo(
        members=fields.texts("on_call"),
        names=fields.texts("names"),
        reason=fields.text("reason"),
        begins=fields.moment("from"),
        until=fields.moment_or_none("until"),
    )


def _override(fields: JsonFields) -> OverrideInfo:
    return OverrideInfo(
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
