"""What repeats, for Python programs: `Client().schedules()`. Standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from notifybot.client.ids import IdKind
from notifybot.client.json_fields import JsonFields, JsonObject
from notifybot.client.options import rfc3339, without_none
from notifybot.client.results import MessageInfo, read_message
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, RequestBody, json_body

SCHEDULES = IdKind("schedule", "/api/schedules", hint="`notifybot schedules` shows the ids.")


@dataclass(frozen=True)
class ScheduleInfo:
    """A message that repeats. `next_times` are the next few, none while it is paused; `message` is the one that waits.

    `runs` counts what was sent, `missed` what was not, as nobody was there at its time.
    """

    id: str
    account: str
    repeat: str
    time_zone: str
    created_at: datetime
    paused_at: datetime | None
    ended_at: datetime | None
    last_at: datetime | None
    runs: int
    missed: int
    next_times: tuple[datetime, ...]
    message: MessageInfo | None
    document: JsonObject

    @property
    def status(self) -> str:
        """`waiting`, `paused` or `cancelled`."""
        if self.ended_at is not None:
            return "cancelled"
        return "waiting" if self.paused_at is None else "paused"


class Schedules:
    """Calls about what repeats: the caller's own, for admins everybody's."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everything(self) -> tuple[ScheduleInfo, ...]:
        """What repeats and was not cancelled, newest first."""
        fields = JsonFields(self._calls.call(HttpRequest("GET", SCHEDULES.folder)))
        return tuple(_schedule(each) for each in fields.each("schedules"))

    def find(self, prefix: str) -> str:
        """The full id of the one that begins so. Raise Refused where there is none, or more than one."""
        return SCHEDULES.find(prefix, sorted((each.id for each in self.everything()), reverse=True))

    def one(self, schedule_id: str) -> ScheduleInfo:
        return self._asked("GET", SCHEDULES.path(schedule_id))

    def pause(self, schedule_id: str) -> ScheduleInfo:
        """Send nothing until it is resumed; what falls into that time is left out."""
        return self._asked("POST", f"{SCHEDULES.path(schedule_id)}/pause")

    def resume(self, schedule_id: str) -> ScheduleInfo:
        return self._asked("POST", f"{SCHEDULES.path(schedule_id)}/resume")

    def cancel(self, schedule_id: str) -> ScheduleInfo:
        """End it, and cancel the message that waits."""
        return self._asked("DELETE", SCHEDULES.path(schedule_id))

    def change(self, schedule_id: str, *, every: str | None = None, time_zone: str | None = None) -> ScheduleInfo:
        """Repeat it in another way from now on. What it says is changed by editing the message that waits."""
        return self._asked("PATCH", SCHEDULES.path(schedule_id), _body({"repeat": every, "time_zone": time_zone}))

    def preview(
        self, every: str, *, time_zone: str | None = None, begins_at: datetime | None = None
    ) -> tuple[datetime, ...]:
        """The next few times of what would repeat so. Refused (400) for what is no cron expression, say."""
        body = _body({"repeat": every, "time_zone": time_zone, "begins_at": rfc3339(begins_at)})
        return JsonFields(self._calls.call(HttpRequest("POST", f"{SCHEDULES.folder}/preview", body))).moments(
            "next_times"
        )

    def _asked(self, method: str, path: str, body: RequestBody | None = None) -> ScheduleInfo:
        return _schedule(JsonFields(self._calls.call(HttpRequest(method, path, body))))


def _body(fields: Mapping[str, object]) -> RequestBody:
    return json_body(json.dumps(without_none(fields)).encode("ascii"))


def _schedule(fields: JsonFields) -> ScheduleInfo:
    message = fields.object_or_none("message")
    return ScheduleInfo(
        id=fields.text("id"),
        account=fields.text("account"),
        repeat=fields.text("repeat"),
        time_zone=fields.text("time_zone"),
        created_at=fields.moment("created_at"),
        paused_at=fields.moment_or_none("paused_at"),
        ended_at=fields.moment_or_none("ended_at"),
        last_at=fields.moment_or_none("last_at"),
        runs=int(fields.number("runs")),
        missed=int(fields.number("missed")),
        next_times=fields.moments("next_times"),
        message=None if message is None else read_message(message),
        document=fields.document,
    )
