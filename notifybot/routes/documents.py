"""Rows → the JSON that callers get. Times are RFC 3339 in UTC with Z."""

import functools
import json
from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import web

from notifybot.acceptance import Accepted
from notifybot.identities import Person
from notifybot.models import Attachment, Message, TimelineEvent
from notifybot.reading import Copy, Detail
from notifybot.rendering import Button, Look

Document = dict[str, object]
MOMENTS_KEPT = 64
"""Whoever shares a commit is told the same moments."""

# json.dumps would make an encoder for each answer.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
SERVER = {"Server": "notifybot"}
"""The library would tell everybody its version, and Python's."""
_HEADERS = {"Content-Type": "application/json; charset=utf-8", **SERVER}


def answer(document: object, *, status: int = 200) -> web.Response:
    return web.Response(body=_encode(document).encode(), status=status, headers=_HEADERS)


@functools.lru_cache(MOMENTS_KEPT)
def moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def accepted(found: Accepted) -> Document:
    return {
        "id": found.id,
        "status": found.status,
        "duplicate": found.is_duplicate,
        "created_at": moment(found.created_at),
        "escalate_at": moment(found.escalate_at),
        "close_at": moment(found.close_at),
        **_coming(found),
    }


def _coming(found: Accepted) -> Document:
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
        **_said(found),
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
        **_story(found),
    }


def _said(found: Message) -> Document:
    """What it says, and how."""
    look = Look.of(found.look)
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


def _story(found: Message) -> Document:
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


def button(found: Button) -> Document:
    return {"text": found.text, **({"url": found.url} if found.copy is None else {"copy": found.copy})}


def detail(found: Detail) -> Document:
    whole = message(found.message)
    if whole["type"] != "text":
        whole["content"] = next((file.url for file in found.files if file.url), None)
    return {
        **whole,
        "attachments": [attachment(file) for file in found.files],
        "deliveries": [delivery(copy) for copy in found.copies],
        "timeline": [event(line) for line in found.timeline],
    }


def delivery(copy: Copy) -> Document:
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
