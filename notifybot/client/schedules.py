"""Recurring messages: `Client().schedules()`. Standard library only."""

from collections.abc import Mapping
from datetime import datetime

from notifybot.client.ids import IdKind
from notifybot.client.options import rfc3339, without_none
from notifybot.client.reader import JsonObject, read, read_list
from notifybot.client.record import record, whole
from notifybot.client.results import MessageInfo
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, RequestBody, json_body

SCHEDULES = IdKind("schedule", "/api/schedules", hint="`notifybot schedules` lists the ids.")


@record(kw_only=True)
class ScheduleInfo:
    """A recurring message. `next_times`: the next few, none while paused; `message`: the occurrence that is next.

    `runs` counts occurrences that were sent, `missed` those that were not because the daemon was down.
    """

    id: str
    account: str
    repeat: str
    time_zone: str
    created_at: datetime
    paused_at: datetime | None
    ended_at: datetime | None
    last_at: datetime | None
    runs: int = 0
    missed: int = 0
    next_times: tuple[datetime, ...]
    message: MessageInfo | None
    document: JsonObject = whole()

    @property
    def status(self) -> str:
        """`waiting`, `paused` or `cancelled`."""
        if self.ended_at is not None:
            return "cancelled"
        return "waiting" if self.paused_at is None else "paused"


class Schedules:
    """Calls about recurring messages: the caller's own, everyone's for admins."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everything(self) -> tuple[ScheduleInfo, ...]:
        """All schedules that are not cancelled, newest first."""
        return read_list(ScheduleInfo, self._calls.call(HttpRequest("GET", SCHEDULES.folder)), "schedules")

    def find(self, prefix: str) -> str:
        """Return the full id of the schedule with this prefix. Raises Refused if there is none, or several."""
        return SCHEDULES.find(prefix, sorted((each.id for each in self.everything()), reverse=True))

    def one(self, schedule_id: str) -> ScheduleInfo:
        return self._call("GET", SCHEDULES.path(schedule_id))

    def pause(self, schedule_id: str) -> ScheduleInfo:
        """Send nothing until it is resumed; occurrences in between are skipped."""
        return self._call("POST", f"{SCHEDULES.path(schedule_id)}/pause")

    def resume(self, schedule_id: str) -> ScheduleInfo:
        return self._call("POST", f"{SCHEDULES.path(schedule_id)}/resume")

    def cancel(self, schedule_id: str) -> ScheduleInfo:
        """End a schedule for good, and cancel the message that is next."""
        return self._call("DELETE", SCHEDULES.path(schedule_id))

    def change(self, schedule_id: str, *, every: str | None = None, time_zone: str | None = None) -> ScheduleInfo:
        """Change the rule from now on. To change the text, edit the message that is next."""
        return self._call("PATCH", SCHEDULES.path(schedule_id), _body({"repeat": every, "time_zone": time_zone}))

    def preview(
        self, every: str, *, time_zone: str | None = None, begins_at: datetime | None = None
    ) -> tuple[datetime, ...]:
        """Compute the next few times of a rule. Refused (400) if the rule is not valid."""
        body = _body({"repeat": every, "time_zone": time_zone, "begins_at": rfc3339(begins_at)})
        found = self._calls.call(HttpRequest("POST", f"{SCHEDULES.folder}/preview", body))
        return read_list(datetime, found, "next_times")

    def _call(self, method: str, path: str, body: RequestBody | None = None) -> ScheduleInfo:
        return read(ScheduleInfo, self._calls.call(HttpRequest(method, path, body)))


def _body(fields: Mapping[str, object]) -> RequestBody:
    return json_body(without_none(fields))
