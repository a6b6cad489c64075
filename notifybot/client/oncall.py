"""Rotations and overrides: `Client().on_call()`. Standard library only."""

from datetime import datetime

from notifybot.client.errors import Refused
from notifybot.client.ids import IdKind
from notifybot.client.options import Span, rfc3339, whole_seconds, without_none
from notifybot.client.reader import JsonObject, read, read_list
from notifybot.client.record import key, record, whole
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body, percent_encoded

OVERRIDES = IdKind("override", "/api/oncall/overrides", hint="`notifybot oncall show ROTATION` lists the ids.")


@record(kw_only=True)
class ShiftInfo:
    """A span with the same recipients on call; nobody if `members` is empty. `names`: display names.

    `reason`: turn, override, or otherwise (outside the rotation's hours). `until`: None if no end is in sight.
    """

    members: tuple[str, ...] = key("on_call")
    names: tuple[str, ...]
    reason: str
    begins: datetime = key("from")
    until: datetime | None


@record(kw_only=True)
class OverrideInfo:
    """A replacement in a rotation for a while. `created_by` is for example `account:alice` or `telegram:42`.

    `on_call_until`: of a new one, when the member goes off call; None if no end is in sight.
    """

    id: str
    rotation: str
    member: str
    name: str
    begins: datetime = key("from")
    until: datetime
    created_by: str
    cancelled_at: datetime | None
    on_call_until: datetime | None = None
    document: JsonObject = whole()


@record(kw_only=True)
class RotationInfo:
    """A rotation: who is on call `now`, the next few shifts `after` that, and the `overrides` that have not ended."""

    name: str = key("rotation")
    time_zone: str
    now: ShiftInfo = whole()
    after: tuple[ShiftInfo, ...] = key("next")
    handover_at: datetime | None
    overrides: tuple[OverrideInfo, ...]
    document: JsonObject = whole()


class OnCall:
    """Calls about rotations. Overrides are for members of the rotation, and for admins."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everybody(self) -> tuple[RotationInfo, ...]:
        """All rotations, in the order of the config."""
        return read_list(RotationInfo, self._calls.call(HttpRequest("GET", "/api/oncall")), "rotations")

    def override(
        self,
        rotation: str,
        member: str,
        *,
        span: Span | None = None,
        until: datetime | None = None,
        begins: datetime | None = None,
    ) -> OverrideInfo:
        """Put `member` on call, for a `span` or `until` a time (aware), starting now or at `begins`.

        The latest override counts. Not retried, as it would be created twice.
        """
        if (span is None) == (until is None):
            raise Refused("An override needs either a span or an end.", hint="Give one of the two.")
        wanted = {"member": member, "for": whole_seconds(span), "until": rfc3339(until), "from": rfc3339(begins)}
        body = json_body(without_none(wanted))
        path = f"/api/oncall/{percent_encoded(rotation)}/overrides"
        return read(OverrideInfo, self._calls.attempt(HttpRequest("POST", path, body)))

    def find(self, prefix: str) -> str:
        """Return the full id of the override with this prefix. Raises Refused if there is none, or several."""
        ids = [override.id for rotation in self.everybody() for override in rotation.overrides]
        return OVERRIDES.find(prefix, sorted(ids, reverse=True))

    def cancel(self, override_id: str) -> OverrideInfo:
        """End an override early; one that has ended stays as it is."""
        return read(OverrideInfo, self._calls.call(HttpRequest("DELETE", OVERRIDES.path(override_id))))
