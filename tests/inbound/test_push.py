"""Messages of push services as events."""

import json
from datetime import timedelta
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound import push
from notifybot.inbound.event import Event
from notifybot.inbound.received import Received
from notifybot.model.enums import Priority


def ntfy(body: bytes = b"", query: dict[str, str] | None = None, **headers: str) -> Event:
    named = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    return push.read_ntfy(Received(body, named, query or {}))


def topic(**document: Any) -> Event:
    return push.read_ntfy(Received(json.dumps(document).encode(), has_topic=True))


@pytest.mark.parametrize(
    ("found", "facts"),
    [
        (ntfy(b"hello"), {"title": "", "text": "hello", "priority": None}),
        (ntfy(), {"text": "triggered"}),
        (ntfy(b"hello", Title="db1", X_Priority="5"), {"title": "db1", "priority": Priority.CRITICAL}),
        (ntfy(b"hello", prio="low", ta="warning"), {"text": "⚠️ hello", "priority": Priority.LOW}),
        (ntfy(b"hello", Tags="skull, db1 ,", t="Down"), {"title": "💀 Down", "content": "hello\ntags: db1"}),
        (ntfy(query={"M": "hello", "title": "db1"}), {"title": "db1", "text": "hello"}),
        (ntfy(b"hello", In="2 hours"), {"delay": timedelta(hours=2)}),
        (ntfy(b"hello", query={"delay": "30min"}), {"delay": timedelta(minutes=30)}),
        (topic(topic="a", message="hello", priority=4, tags=["fire"]), {"text": "🔥 hello", "priority": Priority.HIGH}),
        (topic(topic="a"), {"text": "triggered", "links": ()}),
        (topic(topic="a", message="x", unknown=[1], icon="y"), {"text": "x"}),
    ],
)
def test_a_message_of_ntfy(found: Event, facts: dict[str, Any]) -> None:
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize(
    "found",
    [
        ntfy(
            b"x",
            Click="https://a.org/1",
            Attach="https://a.org/2",
            Actions="view, Portal, https://a.org/3; http, No, https://a.org/4",
        ),
        topic(
            topic="a",
            click="https://a.org/1",
            attach="https://a.org/2",
            actions=[
                {"action": "view", "label": "Portal", "url": "https://a.org/3"},
                {"action": "broadcast", "label": "No"},
            ],
        ),
    ],
)
def test_the_links_of_ntfy(found: Event) -> None:
    assert [link.text for link in found.buttons] == ["Open", "Attachment", "Portal"]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(0, "low"), (3, "low"), (4, "normal"), (7, "normal"), (8, "high"), (10, "high"), (-1, None), ("x", None)],
)
def test_priorities_of_gotify(priority: object, expected: str | None) -> None:
    found = push.read_gotify(Received(json.dumps({"message": "x", "priority": priority}).encode()))
    assert found.priority == expected


def test_the_click_of_gotify() -> None:
    extras = {"client::notification": {"click": {"url": "https://example.org"}}, "client::display": {}}
    found = push.read_gotify(Received(json.dumps({"message": "x", "extras": extras}).encode()))
    assert [link.url for link in found.links] == ["https://example.org"]


def test_attachments_of_apprise_are_named() -> None:
    document = {"message": "x", "type": "warning", "attachments": [{"filename": "a.png", "base64": "eA=="}]}
    found = push.read_apprise(Received(json.dumps(document).encode()))
    assert (found.content, found.priority) == ("x\nnot shown: a.png", Priority.NORMAL)


KINDS = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("read", "received", "reason"),
    [
        (push.read_ntfy, Received(b"x", {"delay": "tomorrow"}), "delay: this must be a span"),
        (push.read_ntfy, Received(b'{"tags": "a"}', has_topic=True), "tags: this must be a list"),
        (push.read_ntfy, Received(b'{"actions": {}}', has_topic=True), "actions: this must be a list"),
        (push.read_ntfy, Received(b"[]", has_topic=True), "The body must be a JSON object."),
        (push.read_gotify, Received(b"{}"), "message: this field is required"),
        (push.read_gotify, Received(b"--x\r\n" * 300, KINDS), "The form has more than 200 fields."),
        (push.read_gotify, Received(b"", KINDS), "message: this field is required"),
        (push.read_gotify, Received(b'{"message": "x", "extras": []}'), "extras: this must be an object"),
        (push.read_apprise, Received(b'{"title": ""}'), "message: this field is required"),
        (push.read_apprise, Received(b'{"message": "x", "attachments": "a"}'), "attachments: this must be a list"),
    ],
)
def test_what_does_not_fit_is_refused(read: Any, received: Received, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        read(received)
    assert refused.value.detail.startswith(reason)
