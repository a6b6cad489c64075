"""Alertmanager's documents as events."""

import json
from hashlib import sha256
from typing import Any

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.alertmanager import read
from notifybot.inbound.event import Event
from notifybot.inbound.received import Received
from notifybot.model.enums import Priority
from tests.inbound.documents import alert, alertmanager


def event(document: object) -> Event:
    return read(Received(json.dumps(document).encode()))


def test_one_alert_is_titled_by_its_name_and_described() -> None:
    found = event(alertmanager())
    assert (found.title, found.text) == ("DiskFull", "/var is full on db1")
    assert found.content.startswith("/var is full on db1\n")
    assert (found.key, found.is_resolved, found.priority) == ('{}:{alertname="DiskFull"}', False, Priority.CRITICAL)


def test_links_become_buttons() -> None:
    annotations = {
        "summary": "x",
        "runbook_url": "https://wiki.example.org/r",
        "dashboard": "https://g.example.org/d/1",
    }
    found = event(alertmanager(alert(annotations=annotations)))
    assert [link.text for link in found.buttons] == ["Source", "Silence", "Runbook", "Dashboard"]
    silence = found.links[1].url
    assert silence.startswith("https://alerts.example.org/#/silences/new?filter=%7B")
    assert "alertname%3D%22DiskFull%22" in silence


def test_a_link_that_telegram_refuses_as_a_button_stands_in_the_text() -> None:
    document = alertmanager(alert() | {"generatorURL": "http://prometheus:9090/graph"}, externalURL="")
    found = event(document)
    assert found.buttons == ()
    assert "Source: http://prometheus:9090/graph" in found.content


def test_a_group_is_one_event_with_a_line_for_each_alert() -> None:
    found = event(alertmanager(alert(1), alert(2), alert(3, status="resolved")))
    assert found.title == "DiskFull (2 of 3 alerts)"
    assert found.text.splitlines() == [
        "- /var is full on db1 – instance: db1",
        "- /var is full on db2 – instance: db2",
        "- resolved: /var is full on db3 – instance: db3",
    ]


def test_a_large_group_shows_its_first_alerts() -> None:
    found = event(alertmanager(*map(alert, range(50))))
    assert len(found.text.splitlines()) == 21
    assert found.text.endswith("and 30 more")


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"status": "resolved"}, "is_resolved", True),
        ({"commonAnnotations": {"summary": "Disks fill up"}}, "title", "Disks fill up"),
        ({"commonLabels": {}, "commonAnnotations": {}, "groupLabels": {"job": "node"}}, "title", "job: node"),
        ({"commonLabels": {}, "groupLabels": {}}, "title", "Alerts"),
        ({"commonLabels": None, "commonAnnotations": None, "groupLabels": None}, "title", "Alerts"),
        ({"groupKey": "x" * 129}, "key", f"sha256:{sha256(b'x' * 129).hexdigest()}"),
        ({"alerts": [alert(severity="warning")]}, "priority", Priority.NORMAL),
        ({"alerts": [alert(severity="info"), alert(severity="error")]}, "priority", Priority.HIGH),
        ({"alerts": [alert(severity="critical", status="resolved"), alert(severity="info")]}, "priority", Priority.LOW),
        ({"alerts": [alert(severity="purple")]}, "priority", None),
        ({"alerts": [alert(annotations={})]}, "text", ""),
        ({"unknown": {"deep": [1]}}, "title", "DiskFull"),
    ],
)
def test_fields(more: dict[str, Any], field: str, value: object) -> None:
    assert getattr(event(alertmanager() | more), field) == value


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "The body must be a JSON object."),
        ({}, "version: this must be 4"),
        (alertmanager(version="3"), "version: this must be 4"),
        (alertmanager(status="paused"), "status: this must be firing or resolved"),
        (alertmanager() | {"alerts": []}, "alerts: this must be a list of one or more alerts"),
        (alertmanager() | {"alerts": {}}, "alerts: this must be a list of objects"),
        (alertmanager() | {"alerts": [1]}, "alerts: this must be a list of objects"),
        (alertmanager(groupKey=None), "groupKey: this field is required"),
        (alertmanager(commonLabels=["x"]), "commonLabels: this must be an object"),
        (alertmanager() | {"alerts": [alert() | {"labels": {"a": {}}}]}, "alerts.0.labels.a: this must be text"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field(document: object, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        event(document)
    assert refused.value.detail.startswith(reason)
