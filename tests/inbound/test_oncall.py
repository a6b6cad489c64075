"""Documents of Grafana OnCall's formatted webhook as events."""

import json
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.oncall import read
from notifybot.inbound.received import Received

ALERT = {"alert_uid": "u1", "title": "db1", "message": "disk full", "state": "alerting", "image_url": None}


@pytest.mark.parametrize(
    ("more", "facts"),
    [
        ({}, {"title": "db1", "text": "disk full", "key": "u1", "is_resolved": False}),
        ({"state": "ok"}, {"is_resolved": True, "key": "u1"}),
        ({"state": None}, {"is_resolved": False}),
        ({"alert_uid": None}, {"key": None}),
        ({"title": ""}, {"title": "", "content": "disk full"}),
        ({"message": ""}, {"content": "db1"}),
        ({"image_url": "https://a.org/1.png"}, {"content": "disk full"}),
        ({"unknown": [{}]}, {"title": "db1"}),
    ],
)
def test_an_alert(more: dict[str, Any], facts: dict[str, Any]) -> None:
    found = read(Received(json.dumps(ALERT | more).encode()))
    assert {name: getattr(found, name) for name in facts} == facts


def test_its_links() -> None:
    links = {"link_to_upstream_details": "https://a.org/1", "image_url": "https://a.org/2.png"}
    assert [link.text for link in read(Received(json.dumps(ALERT | links).encode())).buttons] == ["Source", "Image"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "title: this field is required, or message"),
        (b'{"title": " ", "message": null}', "title: this field is required, or message"),
        (b'{"title": {}}', "title: this must be text"),
        (b'{"title": "x", "state": []}', "state: this must be text"),
        (b"[]", "The body must be a JSON object."),
    ],
)
def test_what_does_not_fit_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        read(Received(body))
    assert refused.value.detail.startswith(reason)
