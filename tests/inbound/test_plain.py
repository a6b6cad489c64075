"""JSON, forms and texts without an author as events."""

import json
from hashlib import sha256
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound import plain
from notifybot.inbound.event import Event, links_of
from notifybot.inbound.received import Received
from notifybot.model.enums import Priority


def event(document: object, **mapping: str) -> Event:
    return plain.read_json(Received(json.dumps(document).encode(), mapping=mapping))


@pytest.mark.parametrize(
    ("document", "mapping", "facts"),
    [
        ({"message": "disk full"}, {}, {"text": "disk full", "title": "", "key": None}),
        ({"subject": "db1", "body": "disk full"}, {}, {"title": "db1", "text": "disk full"}),
        ({"title": "down", "key": "web", "status": "ok"}, {}, {"key": "web", "is_resolved": True}),
        ({"title": "down", "state": "alerting"}, {}, {"is_resolved": False}),
        ({"text": "x", "level": "ERROR"}, {}, {"priority": Priority.HIGH}),
        ({"text": "x", "level": 7}, {}, {"priority": None}),
        ({"text": 97.5}, {}, {"text": "97.5"}),
        ({"text": True, "title": None}, {}, {"text": "true", "title": ""}),
        ({"text": "x", "labels": {"host": "db1"}}, {}, {"content": "x\nhost: db1"}),
        ({"text": "x", "labels": ["a"]}, {}, {"labels": {}}),
        ({"a": {"b": [{"c": "deep"}]}}, {"text": "a.b.0.c"}, {"text": "deep"}),
        ({"text": "not this", "a": "this"}, {"text": "a"}, {"text": "this"}),
        ({"title": "x", "a": []}, {"text": "a.7"}, {"text": ""}),
        ({"text": "a\x00b\ud800"}, {}, {"text": "a\ufffdb\ufffd"}),
        ({"text": "x", "key": "k" * 500}, {}, {"key": f"sha256:{sha256(b'k' * 500).hexdigest()}"}),
    ],
)
def test_a_json_object(document: object, mapping: dict[str, str], facts: dict[str, Any]) -> None:
    found = event(document, **mapping)
    for name, value in facts.items():
        assert getattr(found, name) == value


def test_a_link_becomes_a_button() -> None:
    (button,) = event({"text": "x", "url": "https://example.org/1"}).buttons
    assert (button.text, button.url) == ("Open", "https://example.org/1")


def test_a_long_label_of_a_button_is_cut() -> None:
    assert [link.text for link in links_of({"x" * 99: "https://a.org", " ": "https://b.org"})] == ["x" * 64, "Open"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://", "https://a b", "http://[::1", "x", "https://é.org"])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert event({"text": "x", "url": url}).links == ()


@pytest.mark.parametrize(
    ("document", "mapping", "reason"),
    [
        ({}, {}, "text: this is required: text in text or message or"),
        ({"title": "  ", "text": ""}, {}, "text: this is required"),
        ({"text": "x"}, {"text": "alert.name"}, "text: this is required: text in alert.name, or a title"),
        ({"text": {"a": 1}}, {}, "text: this must be text"),
        ({"a": ["x"]}, {"text": "a"}, "a: this must be text"),
        ({"text": "x", "key": []}, {}, "key: this must be text"),
        ("x", {}, "The body must be a JSON object."),
    ],
)
def test_a_json_object_that_does_not_fit(document: object, mapping: dict[str, str], reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        event(document, **mapping)
    assert refused.value.detail.startswith(reason)


def test_a_form() -> None:
    found = plain.read_form(Received(b"title=db1&text=disk%20full&severity=critical&key=a", query={"key": "b"}))
    assert (found.title, found.text, found.key, found.priority) == ("db1", "disk full", "a", Priority.CRITICAL)
    with pytest.raises(NotifybotError, match="200 fields"):
        plain.read_form(Received(b"a=1&" * 300))


def test_a_text() -> None:
    found = plain.read_text(Received("disk füll\n".encode(), query={"title": "db1", "key": "a", "status": "resolved"}))
    assert (found.title, found.content, found.key, found.is_resolved) == ("db1", "disk füll", "a", True)
    with pytest.raises(NotifybotError, match=r"The body is blank\."):
        plain.read_text(Received(b" \n"))
