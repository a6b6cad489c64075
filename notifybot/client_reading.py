"""The daemon's answers about messages, people and itself, read from their JSON. Standard library only."""

from collections.abc import Mapping
from dataclasses import replace

from notifybot.client_errors import UnknownShape
from notifybot.client_json import Fields
from notifybot.results import Accepted, Attachment, Button, Delivery, Event, Health, Message, MessagePage, Subscriber


def read_accepted(document: object) -> Accepted:
    """Raise UnknownShape where `document` is none; so do all the functions below."""
    fields = Fields(document)
    return Accepted(
        id=fields.text("id"),
        status=fields.text("status"),
        is_duplicate=fields.truth("duplicate"),
        created_at=fields.moment("created_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        send_at=fields.moment_or_none("send_at"),
        schedule_id=fields.text_or_none("schedule_id"),
        next_times=fields.moments("next_times"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        document=fields.document,
    )


def read_message(document: object) -> Message:
    fields = Fields(document)
    return replace(
        _said(fields),
        send_at=fields.moment_or_none("send_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        remind_at=fields.moment_or_none("remind_at"),
        repeated_at=fields.moment_or_none("repeated_at"),
        resolved_at=fields.moment_or_none("resolved_at"),
        snoozed_until=fields.moment_or_none("snoozed_until"),
        snoozed_by=_answerer(fields.document.get("snoozed_by")),
        acknowledged_at=fields.moment_or_none("acknowledged_at"),
        acknowledged_by=_answerer(fields.document.get("acknowledged_by")),
        closed_at=fields.moment_or_none("closed_at"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        timeline=tuple(_event(each) for each in fields.each("timeline")),
    )


def read_page(document: object) -> MessagePage:
    fields = Fields(document)
    messages = tuple(read_message(each.document) for each in fields.each("messages"))
    return MessagePage(messages, fields.text_or_none("next_cursor"), fields.document)


def read_health(document: object) -> Health:
    fields = Fields(document)
    return Health(
        status=fields.text("status"),
        telegram=fields.summary("telegram"),
        database=fields.summary("database"),
        jobs=fields.summary("jobs"),
        waiting=int(fields.number("waiting")),
        oldest_waiting_s=fields.number("oldest_waiting_s"),
        warnings=fields.texts("warnings"),
        document=fields.document,
    )


def read_subscriber(document: object) -> Subscriber:
    fields = Fields(document)
    return Subscriber(
        user_id=fields.text("user_id"),
        chat_id=fields.text("chat_id"),
        chat_name=fields.text("chat_name"),
        created_at=fields.moment("created_at"),
    )


def read_subscribers(document: object) -> tuple[Subscriber, ...]:
    if not isinstance(document, list):
        raise UnknownShape("a list of subscribers was expected")
    return tuple(read_subscriber(each) for each in document)


def _said(fields: Fields) -> Message:
    """What a message says, and to whom; nothing yet of what became of it."""
    return Message(
        id=fields.text("id"),
        status=fields.text("status"),
        is_alert=fields.truth("acknowledge"),
        type=fields.text_or_none("type") or "text",
        title=fields.text_or_none("title"),
        content=fields.text_or_none("content"),
        caption=fields.text_or_none("caption"),
        parse_mode=fields.text_or_none("parse_mode"),
        priority=fields.text_or_none("priority") or "normal",
        is_silent=fields.truth("silent"),
        has_link_preview=fields.truth("link_preview"),
        thread_id=fields.integer_or_none("thread_id"),
        buttons=tuple(_button(each) for each in fields.each("buttons")),
        attachments=tuple(_attachment(each) for each in fields.each("attachments")),
        data=fields.object_or_none("data"),
        dedup_key=fields.text_or_none("dedup_key"),
        repeats=fields.integer_or_none("repeats") or 0,
        source=fields.text("source"),
        recipients=_recipients(fields),
        event=fields.text_or_none("event"),
        policy=fields.text_or_none("policy"),
        steps_left=fields.integer_or_none("steps_left") or 0,
        schedule_id=fields.text_or_none("schedule_id"),
        created_at=fields.moment("created_at"),
        document=fields.document,
    )


def _button(fields: Fields) -> Button:
    return Button(fields.text("text"), url=fields.text_or_none("url"), copy=fields.text_or_none("copy"))


def _attachment(fields: Fields) -> Attachment:
    return Attachment(
        name=fields.text("name"),
        kind=fields.text("kind"),
        size=fields.integer_or_none("size"),
        media_type=fields.text_or_none("media_type"),
        url=fields.text_or_none("url"),
        href=fields.text_or_none("href"),
        problem=fields.text_or_none("problem"),
    )


def _delivery(fields: Fields) -> Delivery:
    return Delivery(
        recipient=fields.text("recipient"),
        chat_id=fields.text("chat_id"),
        purpose=fields.text("purpose"),
        status=fields.text("status"),
        telegram_message_ids=fields.integers("telegram_message_ids"),
        attempts=int(fields.number("attempts")),
        last_error=fields.text_or_none("last_error"),
        shown_at=fields.moment_or_none("shown_at"),
    )


def _event(fields: Fields) -> Event:
    return Event(fields.moment("at"), fields.text("event"), fields.text("actor"), fields.text_or_none("detail"))


def _recipients(fields: Fields) -> tuple[str, ...]:
    """To whom it was addressed: whichever of the three fields the message has."""
    if isinstance(fields.document.get("to"), list):
        return fields.texts("to")
    single = fields.text_or_none("channel_id") or fields.text_or_none("user")
    return (single,) if single else ()


def _answerer(document: object) -> str | None:
    """A name for whoever acknowledged: `Anna (@anna)`, or the account."""
    if not isinstance(document, Mapping):
        return None
    fields = Fields(document)
    name, username = fields.text_or_none("name"), fields.text_or_none("username")
    if name and username:
        return f"{name} (@{username})"
    return name or username or fields.text_or_none("account") or fields.text_or_none("telegram_id")
