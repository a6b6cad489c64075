"""What the daemon answers, for programs: the fields that each document always has, and what they hold."""

from notifybot.kinds import DeliveryStatus, EventKind, Purpose
from notifybot.lifecycle import State
from notifybot.rotas import Reason
from notifybot.routes.documents import Document

SCHEMAS = "#/components/schemas/"
TEXT: Document = {"type": "string"}
TEXT_OR_NULL: Document = {"type": ["string", "null"]}
NUMBER: Document = {"type": "number"}
WHOLE: Document = {"type": "integer"}
WHOLE_OR_NULL: Document = {"type": ["integer", "null"]}
TRUTH: Document = {"type": "boolean"}
MOMENT: Document = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: Document = {"type": ["string", "null"], "format": "date-time"}
OBJECT_OR_NULL: Document = {"type": ["object", "null"]}
STATE: Document = {"type": "string", "enum": [state.value for state in State]}


def _object(**fields: Document) -> Document:
    """An object that has all these fields; more may come with newer daemons."""
    return {"type": "object", "required": list(fields), "properties": fields}


def _list(item: Document) -> Document:
    return {"type": "array", "items": item}


def reference(name: str) -> Document:
    return {"$ref": f"{SCHEMAS}{name}"}


PERSON = _object(user_id=TEXT, chat_id=TEXT, chat_name=TEXT, created_at=MOMENT)
MESSAGE = _object(
    id=TEXT,
    status=STATE,
    type={"type": "string", "enum": ["text", "image", "document"]},
    acknowledge=TRUTH,
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
    created_at=MOMENT,
    send_at=MOMENT_OR_NULL,
    schedule_id=TEXT_OR_NULL,
    event=TEXT_OR_NULL,
    policy=TEXT_OR_NULL,
    steps_left=WHOLE,
    remind_at=MOMENT_OR_NULL,
    escalate_at=MOMENT_OR_NULL,
    close_at=MOMENT_OR_NULL,
    sent_at=MOMENT_OR_NULL,
    acknowledged_at=MOMENT_OR_NULL,
    acknowledged_by=OBJECT_OR_NULL,
    unacknowledged_at=MOMENT_OR_NULL,
    unacknowledged_by=OBJECT_OR_NULL,
    closed_at=MOMENT_OR_NULL,
)
DELIVERY = _object(
    recipient=TEXT,
    chat_id=TEXT,
    purpose={"type": "string", "enum": [purpose.value for purpose in Purpose]},
    is_reminder=TRUTH,
    status={"type": "string", "enum": [status.value for status in DeliveryStatus]},
    telegram_message_ids=_list(WHOLE),
    attempts=WHOLE,
    last_error=TEXT_OR_NULL,
    shown_at=MOMENT_OR_NULL,
)
EVENT = _object(
    at=MOMENT, event={"type": "string", "enum": [kind.value for kind in EventKind]}, actor=TEXT, detail=TEXT_OR_NULL
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
    created_at=MOMENT,
    created_by=TEXT,
    expires_at=MOMENT_OR_NULL,
    last_used_at=MOMENT_OR_NULL,
    revoked_at=MOMENT_OR_NULL,
)
NUMBER_OR_NULL: Document = {"type": ["number", "null"]}
JOB_RUN = _object(
    job=TEXT,
    started_at=MOMENT,
    duration_s=NUMBER,
    done=WHOLE,
    manual=TRUTH,
    succeeded=TRUTH,
    error=TEXT_OR_NULL,
)
JOB = _object(
    name=TEXT,
    next_run=MOMENT_OR_NULL,
    running_since=MOMENT_OR_NULL,
    last_run=MOMENT_OR_NULL,
    last_duration_s=NUMBER_OR_NULL,
    last_done=WHOLE_OR_NULL,
    average=NUMBER_OR_NULL,
    success_rate=NUMBER_OR_NULL,
    runs=WHOLE,
    since=MOMENT_OR_NULL,
    is_failing=TRUTH,
    last_error=TEXT_OR_NULL,
    last_error_at=MOMENT_OR_NULL,
    put_off=_list(_object(row=TEXT, error=TEXT, since=MOMENT, times=WHOLE, tried_again_at=MOMENT)),
)
_STINT: dict[str, Document] = {
    "on_call": _list(TEXT),
    "names": _list(TEXT),
    "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
    "from": MOMENT,
    "until": MOMENT_OR_NULL,
}
OVERRIDE = _object(
    id=TEXT,
    rotation=TEXT,
    member=TEXT,
    name=TEXT,
    **{"from": MOMENT},
    until=MOMENT,
    created_at=MOMENT,
    created_by=TEXT,
    cancelled_at=MOMENT_OR_NULL,
)
ROTATION = _object(
    rotation=TEXT,
    time_zone=TEXT,
    **_STINT,
    handover_at=MOMENT_OR_NULL,
    next=_list(_object(**_STINT)),
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
    duplicate=TRUTH,
    created_at=MOMENT,
    escalate_at=MOMENT_OR_NULL,
    close_at=MOMENT_OR_NULL,
)
SCHEDULE = _object(
    id=TEXT,
    account=TEXT,
    repeat=TEXT,
    time_zone=TEXT,
    created_at=MOMENT,
    begins_at=MOMENT,
    paused_at=MOMENT_OR_NULL,
    ended_at=MOMENT_OR_NULL,
    last_at=MOMENT_OR_NULL,
    runs=WHOLE,
    missed=WHOLE,
    next_times=_list(MOMENT),
    message={"anyOf": [reference("Message"), {"type": "null"}]},
)
PENDING = _object(
    id=TEXT,
    target_user_id=_list(TEXT),
    message=TEXT,
    scheduled_timestamp=TEXT,
    file_paths={"type": ["array", "null"], "items": TEXT},
    is_sent=TRUTH,
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
ANSWERS: dict[str, Document] = {
    "POST /api/ingest": reference("Accepted"),
    "POST /send": reference("Accepted"),
    "POST /send_photo": reference("Accepted"),
    "POST /api/events": reference("Accepted"),
    "POST /schedule-message": reference("Pending"),
    "GET /pending-messages": _list(reference("Pending")),
    "POST /api/schedules/preview": _object(repeat=TEXT, time_zone=TEXT, next_times=_list(MOMENT)),
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


def answer_of(method: str, path: str) -> Document:
    """What a route answers when all is well."""
    if path.startswith("/api/messages/{id}"):
        return reference("MessageDetail")
    if path.startswith("/api/schedules/{id}"):
        return reference("Schedule")
    return ANSWERS.get(f"{method} {path}", ANYTHING)
