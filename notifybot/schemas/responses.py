"""Rows → the JSON that callers get, and the JSON schema of each response. Times are RFC 3339 in UTC with Z."""

import functools
import json
from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import web

from notifybot.messages.new_message import Acceptance
from notifybot.messages.queries import DeliveryDetails, MessageDetails
from notifybot.model.enums import DeliveryStatus, EventKind, Purpose
from notifybot.model.messages import Attachment, Message, TimelineEvent
from notifybot.model.people import Person
from notifybot.model.states import State
from notifybot.rendering.parts import Appearance, PostButton
from notifybot.rotations.rotation import Reason

Document = dict[str, object]
TIMESTAMPS_CACHED = 64
"""Whoever shares a commit is told the same moments."""

# json.dumps would make an encoder for each answer.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
SERVER = {"Server": "notifybot"}
"""The library would tell everybody its version, and Python's."""
_HEADERS = {"Content-Type": "application/json; charset=utf-8", **SERVER}


def json_response(document: object, *, status: int = 200) -> web.Response:
    return web.Response(body=_encode(document).encode(), status=status, headers=_HEADERS)


@functools.lru_cache(TIMESTAMPS_CACHED)
def moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def accepted(found: Acceptance) -> Document:
    return {
        "id": found.id,
        "status": found.status,
        "duplicate": found.is_duplicate,
        "created_at": moment(found.created_at),
        "escalate_at": moment(found.escalate_at),
        "close_at": moment(found.close_at),
        **_schedule_fields(found),
    }


def _schedule_fields(found: Acceptance) -> Document:
    """Of what is sent later: when, and how it goes on."""
    if found.send_at is None:
        return {}
    later: Document = {"send_at": moment(found.send_at)}
    if found.schedule_id is None:
        return later
    return {**later, "schedule_id": found.schedule_id, "next_times": [moment(at) for at in found.next_times]}


def message(found: Message) -> Document:
    return {
        "id": found.id,
        "status": found.state,
        **_content_fields(found),
        "data": found.data,
        "dedup_key": found.dedup_key,
        "repeats": found.repeats,
        "repeated_at": moment(found.repeated_at),
        "to": found.recipients,
        "source": found.source,
        "account": found.account,
        "schedule_id": found.schedule_id,
        "event": found.event,
        "policy": found.policy,
        "steps_left": found.steps_left,
        **_state_fields(found),
    }


def _content_fields(found: Message) -> Document:
    """What it says, and how."""
    look = Appearance.of(found.look)
    return {
        "type": look.type,
        "acknowledge": found.is_alert,
        "title": found.title,
        "content": found.content if look.type == "text" else None,
        "caption": None if look.type == "text" else found.content or None,
        "parse_mode": look.parse_mode,
        "priority": look.priority,
        "silent": look.silent,
        "thread_id": look.thread_id,
        "link_preview": look.link_preview,
        "buttons": [button(each) for each in look.buttons],
    }


def _state_fields(found: Message) -> Document:
    """What was to happen when, what did, and who did it."""
    return {
        "created_at": moment(found.created_at),
        "send_at": moment(found.send_at),
        "escalate_at": moment(found.escalate_at),
        "close_at": moment(found.close_at),
        "remind_at": moment(found.remind_at),
        "sent_at": moment(found.sent_at),
        "escalated_at": moment(found.escalated_at),
        "snoozed_until": moment(found.snoozed_until),
        "snoozed_by": found.snoozed_by,
        "acknowledged_at": moment(found.acknowledged_at),
        "acknowledged_by": found.acknowledged_by,
        "unacknowledged_at": moment(found.unacknowledged_at),
        "unacknowledged_by": found.unacknowledged_by,
        "closed_at": moment(found.closed_at),
        "resolved_at": moment(found.resolved_at),
    }


def button(found: PostButton) -> Document:
    return {"text": found.text, **({"url": found.url} if found.copy is None else {"copy": found.copy})}


def detail(found: MessageDetails) -> Document:
    whole = message(found.message)
    if whole["type"] != "text":
        whole["content"] = next((file.url for file in found.files if file.url), None)
    return {
        **whole,
        "attachments": [attachment(file) for file in found.files],
        "deliveries": [delivery(copy) for copy in found.copies],
        "timeline": [event(line) for line in found.timeline],
    }


def delivery(copy: DeliveryDetails) -> Document:
    found = copy.delivery
    return {
        "recipient": found.recipient,
        "chat_id": found.chat_id,
        "purpose": found.purpose,
        "is_reminder": copy.is_reminder,
        "status": found.status,
        "telegram_message_ids": list(copy.telegram_message_ids),
        "attempts": found.attempts,
        "last_error": found.last_error,
        "shown_at": moment(found.shown_at),
    }


def attachment(file: Attachment) -> Document:
    """`href` is where its content can be had, once it lies in our store."""
    return {
        "name": file.name,
        "kind": file.kind,
        "size": file.size,
        "media_type": file.media_type,
        "url": file.url,
        "href": None if file.sha256 is None else path_of(file),
        "problem": file.problem,
    }


def path_of(file: Attachment) -> str:
    return f"/files/{file.message_id}_{file.ordinal}_{quote(file.name, safe='')}"


def event(line: TimelineEvent) -> Document:
    return {"at": moment(line.at), "event": line.event, "actor": line.actor, "detail": line.detail}


def person(found: Person) -> Document:
    return {
        "user_id": found.user_id,
        "chat_id": found.chat_id,
        "chat_name": found.chat_name,
        "created_at": moment(found.created_at),
    }


SCHEMAS = "#/components/schemas/"
TEXT: Document = {"type": "string"}
TEXT_OR_NULL: Document = {"type": ["string", "null"]}
NUMBER: Document = {"type": "number"}
WHOLE: Document = {"type": "integer"}
WHOLE_OR_NULL: Document = {"type": ["integer", "null"]}
BOOLEAN: Document = {"type": "boolean"}
TIMESTAMP: Document = {"type": "string", "format": "date-time"}
TIMESTAMP_OR_NULL: Document = {"type": ["string", "null"], "format": "date-time"}
OBJECT_OR_NULL: Document = {"type": ["object", "null"]}
STATE: Document = {"type": "string", "enum": [state.value for state in State]}


def _object(**fields: Document) -> Document:
    """An object that has all these fields; more may come with newer daemons."""
    return {"type": "object", "required": list(fields), "properties": fields}


def _list(item: Document) -> Document:
    return {"type": "array", "items": item}


def reference(name: str) -> Document:
    return {"$ref": f"{SCHEMAS}{name}"}


PERSON = _object(user_id=TEXT, chat_id=TEXT, chat_name=TEXT, created_at=TIMESTAMP)
MESSAGE = _object(
    id=TEXT,
    status=STATE,
    type={"type": "string", "enum": ["text", "image", "document"]},
    acknowledge=BOOLEAN,
    title=TEXT_OR_NULL,
    content=TEXT_OR_NULL,
    caption=TEXT_OR_NULL,
    priority=TEXT,
    data=OBJECT_OR_NULL,
    dedup_key=TEXT_OR_NULL,
    repeats=WHOLE,
    to=_list(TEXT),
    source=TEXT,
    account=TEXT,
    created_at=TIMESTAMP,
    send_at=TIMESTAMP_OR_NULL,
    schedule_id=TEXT_OR_NULL,
    event=TEXT_OR_NULL,
    policy=TEXT_OR_NULL,
    steps_left=WHOLE,
    remind_at=TIMESTAMP_OR_NULL,
    escalate_at=TIMESTAMP_OR_NULL,
    close_at=TIMESTAMP_OR_NULL,
    sent_at=TIMESTAMP_OR_NULL,
    acknowledged_at=TIMESTAMP_OR_NULL,
    acknowledged_by=OBJECT_OR_NULL,
    unacknowledged_at=TIMESTAMP_OR_NULL,
    unacknowledged_by=OBJECT_OR_NULL,
    closed_at=TIMESTAMP_OR_NULL,
)
DELIVERY = _object(
    recipient=TEXT,
    chat_id=TEXT,
    purpose={"type": "string", "enum": [purpose.value for purpose in Purpose]},
    is_reminder=BOOLEAN,
    status={"type": "string", "enum": [status.value for status in DeliveryStatus]},
    telegram_message_ids=_list(WHOLE),
    attempts=WHOLE,
    last_error=TEXT_OR_NULL,
    shown_at=TIMESTAMP_OR_NULL,
)
EVENT = _object(
    at=TIMESTAMP, event={"type": "string", "enum": [kind.value for kind in EventKind]}, actor=TEXT, detail=TEXT_OR_NULL
)
DETAIL: Document = {
    "allOf": [
        reference("Message"),
        _object(deliveries=_list(reference("Delivery")), timeline=_list(reference("Event")), attachments=_list({})),
    ]
}
TOKEN = _object(
    id=TEXT,
    name=TEXT,
    account=TEXT,
    scopes=_list(TEXT),
    to={"type": ["array", "null"], "items": TEXT},
    created_at=TIMESTAMP,
    created_by=TEXT,
    expires_at=TIMESTAMP_OR_NULL,
    last_used_at=TIMESTAMP_OR_NULL,
    revoked_at=TIMESTAMP_OR_NULL,
)
NUMBER_OR_NULL: Document = {"type": ["number", "null"]}
JOB_RUN = _object(
    job=TEXT,
    started_at=TIMESTAMP,
    duration_s=NUMBER,
    done=WHOLE,
    manual=BOOLEAN,
    succeeded=BOOLEAN,
    error=TEXT_OR_NULL,
)
JOB = _object(
    name=TEXT,
    next_run=TIMESTAMP_OR_NULL,
    running_since=TIMESTAMP_OR_NULL,
    last_run=TIMESTAMP_OR_NULL,
    last_duration_s=NUMBER_OR_NULL,
    last_done=WHOLE_OR_NULL,
    average=NUMBER_OR_NULL,
    success_rate=NUMBER_OR_NULL,
    runs=WHOLE,
    since=TIMESTAMP_OR_NULL,
    is_failing=BOOLEAN,
    last_error=TEXT_OR_NULL,
    last_error_at=TIMESTAMP_OR_NULL,
    put_off=_list(_object(row=TEXT, error=TEXT, since=TIMESTAMP, times=WHOLE, tried_again_at=TIMESTAMP)),
)
_SHIFT: dict[str, Document] = {
    "on_call": _list(TEXT),
    "names": _list(TEXT),
    "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
    "from": TIMESTAMP,
    "until": TIMESTAMP_OR_NULL,
}
OVERRIDE = _object(
    id=TEXT,
    rotation=TEXT,
    member=TEXT,
    name=TEXT,
    **{"from": TIMESTAMP},
    until=TIMESTAMP,
    created_at=TIMESTAMP,
    created_by=TEXT,
    cancelled_at=TIMESTAMP_OR_NULL,
)
ROTATION = _object(
    rotation=TEXT,
    time_zone=TEXT,
    **_SHIFT,
    handover_at=TIMESTAMP_OR_NULL,
    next=_list(_object(**_SHIFT)),
    overrides=_list(reference("Override")),
)
PROBLEM: Document = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT,
        "hint": TEXT,
        "errors": _list(_object(loc=_list({}), msg=TEXT)),
    },
}
ACCEPTED = _object(
    id=TEXT,
    status=STATE,
    duplicate=BOOLEAN,
    created_at=TIMESTAMP,
    escalate_at=TIMESTAMP_OR_NULL,
    close_at=TIMESTAMP_OR_NULL,
)
SCHEDULE = _object(
    id=TEXT,
    account=TEXT,
    repeat=TEXT,
    time_zone=TEXT,
    created_at=TIMESTAMP,
    begins_at=TIMESTAMP,
    paused_at=TIMESTAMP_OR_NULL,
    ended_at=TIMESTAMP_OR_NULL,
    last_at=TIMESTAMP_OR_NULL,
    runs=WHOLE,
    missed=WHOLE,
    next_times=_list(TIMESTAMP),
    message={"anyOf": [reference("Message"), {"type": "null"}]},
)
PENDING = _object(
    id=TEXT,
    target_user_id=_list(TEXT),
    message=TEXT,
    scheduled_timestamp=TEXT,
    file_paths={"type": ["array", "null"], "items": TEXT},
    is_sent=BOOLEAN,
    created_at=TEXT,
    status=STATE,
    schedule_id=TEXT_OR_NULL,
    results=_list(
        _object(target_user_id=TEXT, chat_id=TEXT, status=TEXT, last_error=TEXT_OR_NULL, shown_at=TEXT_OR_NULL)
    ),
)
NAMED: dict[str, Document] = {
    "Accepted": ACCEPTED,
    "Delivery": DELIVERY,
    "Event": EVENT,
    "Job": JOB,
    "JobRun": JOB_RUN,
    "Message": MESSAGE,
    "MessageDetail": DETAIL,
    "Override": OVERRIDE,
    "Pending": PENDING,
    "Person": PERSON,
    "Problem": PROBLEM,
    "Rotation": ROTATION,
    "Schedule": SCHEDULE,
    "Token": TOKEN,
}
ANYTHING: Document = {"type": "object"}
RESPONSES: dict[str, Document] = {
    "POST /api/ingest": reference("Accepted"),
    "POST /send": reference("Accepted"),
    "POST /send_photo": reference("Accepted"),
    "POST /api/events": reference("Accepted"),
    "POST /schedule-message": reference("Pending"),
    "GET /pending-messages": _list(reference("Pending")),
    "POST /api/schedules/preview": _object(repeat=TEXT, time_zone=TEXT, next_times=_list(TIMESTAMP)),
    "GET /api/schedules": _object(schedules=_list(reference("Schedule"))),
    "GET /api/messages": _object(messages=_list(reference("Message")), next_cursor=TEXT_OR_NULL),
    "POST /subscribe-user": reference("Person"),
    "GET /subscribed-users": _list(reference("Person")),
    "GET /api/people": _object(people=_list(reference("Person"))),
    "GET /api/people/{name}": reference("Person"),
    "PATCH /api/people/{name}": reference("Person"),
    "DELETE /api/people/{name}": reference("Person"),
    "GET /api/admin/tokens": _object(tokens=_list(reference("Token"))),
    "POST /api/admin/tokens": {"allOf": [reference("Token"), _object(token=TEXT)]},
    "DELETE /api/admin/tokens/{name}": reference("Token"),
    "GET /api/admin/scheduler/status": _object(jobs=_list(reference("Job"))),
    "GET /api/admin/scheduler/jobs/{name}/trigger": reference("JobRun"),
    "POST /api/admin/scheduler/jobs/{name}/trigger": reference("JobRun"),
    "GET /api/oncall": _object(rotations=_list(reference("Rotation"))),
    "POST /api/oncall/{rotation}/overrides": reference("Override"),
    "DELETE /api/oncall/overrides/{id}": reference("Override"),
    "GET /health": _object(status={"type": "string", "enum": ["ok", "degraded", "down"]}),
}


def response_schema(method: str, path: str) -> Document:
    """What a route answers when all is well."""
    if path.startswith("/api/messages/{id}"):
        return reference("MessageDetail")
    if path.startswith("/api/schedules/{id}"):
        return reference("Schedule")
    return RESPONSES.get(f"{method} {path}", ANYTHING)
