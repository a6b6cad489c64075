"""Uptime Kuma's documents as events."""

import json
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.event import Event
from notifybot.inbound.received import Received
from notifybot.inbound.uptime_kuma import read


def event(document: object) -> Event | None:
    return read(Received(json.dumps(document).encode()))


def heartbeat(status: object, **monitor: Any) -> dict[str, Any]:
    return {
        "heartbeat": {"monitorID": 29, "status": status, "msg": "timeout", "important": True, "ping": None},
        "monitor": {"id": 29, "name": "web", "url": "https://www.example.org", "tags": [], **monitor},
        "msg": "[web] [🔴 Down] timeout",
    }


def test_a_monitor_that_is_down() -> None:
    tags = [{"name": "team", "value": "blue"}, {"name": "prod", "value": ""}]
    found = event(heartbeat(0, tags=tags, hostname="db1", port=5432))
    assert found is not None
    assert (found.title, found.text, found.key, found.is_resolved) == ("web is down", "timeout", "monitor 29", False)
    assert found.content == "timeout\nhost: db1:5432 · prod: yes · team: blue"
    assert [(link.text, link.url) for link in found.buttons] == [("Open", "https://www.example.org")]


def test_the_same_monitor_up_again_resolves_it() -> None:
    found = event(heartbeat(1))
    assert found is not None
    assert (found.title, found.key, found.is_resolved) == ("web is up", "monitor 29", True)


@pytest.mark.parametrize("url", ["https://", None, "", "mysql://db1"])
def test_a_monitor_without_a_page_has_no_button(url: str | None) -> None:
    found = event(heartbeat(0, url=url))
    assert found is not None
    assert found.links == ()


@pytest.mark.parametrize("status", [2, 3])
def test_retries_and_maintenance_are_ignored(status: int) -> None:
    assert event(heartbeat(status)) is None


@pytest.mark.parametrize(
    ("document", "title"),
    [
        ({"heartbeat": None, "monitor": None, "msg": "My webhook Testing"}, "Uptime Kuma"),
        ({"msg": "My webhook Testing"}, "Uptime Kuma"),
        ({"heartbeat": None, "monitor": {"name": "web"}, "msg": "certificate expires in 7 days"}, "web"),
    ],
)
def test_its_test_message_has_no_heartbeat(document: object, title: str) -> None:
    found = event(document)
    assert found is not None
    assert (found.title, found.key) == (title, None)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "msg: this field is required"),
        (heartbeat(4), "heartbeat.status: this must be 0"),
        (heartbeat(True), "heartbeat.status: this must be 0"),
        (heartbeat([0]), "heartbeat.status: this must be text"),
        ({"heartbeat": [], "msg": "x"}, "heartbeat: this must be an object"),
        ({"heartbeat": {"status": 0}, "monitor": None}, "heartbeat.monitorID: this field is required"),
        ([], "The body must be a JSON object."),
    ],
)
def test_what_does_not_fit_is_refused(document: object, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        event(document)
    assert refused.value.detail.startswith(reason)
