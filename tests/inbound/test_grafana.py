"""Grafana's documents as events."""

import json

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.event import Event
from notifybot.inbound.grafana import read
from notifybot.inbound.received import Received
from notifybot.model.enums import Priority
from tests.inbound.documents import alert, alertmanager

URLS = {
    "silenceURL": "https://grafana.example.org/alerting/silence/new?matcher=a",
    "dashboardURL": "https://grafana.example.org/d/1",
    "panelURL": "https://grafana.example.org/d/1?viewPanel=2",
}


def event(document: object) -> Event:
    return read(Received(json.dumps(document).encode()))


def test_a_group() -> None:
    alerts = [alert(1, __alert_rule_uid__="x", ref_id="A") | URLS, alert(2, __alert_rule_uid__="x", ref_id="A")]
    found = event(alertmanager(*alerts, version="1", title="[FIRING:2]", message="**Firing**", orgId=1))
    assert found.title == "DiskFull (2 of 2 alerts)"
    assert found.content.splitlines()[-1] == "severity: critical"
    assert [link.text for link in found.buttons] == ["Source", "Silence", "Dashboard"]
    assert found.buttons[2].url == URLS["panelURL"]
    assert (found.key, found.is_resolved, found.priority) == ('{}:{alertname="DiskFull"}', False, Priority.CRITICAL)


def test_without_a_group_key_the_fingerprint_is_the_key() -> None:
    found = event(alertmanager(alert(7, status="resolved"), groupKey=None, status="resolved"))
    assert (found.key, found.is_resolved) == ("abc7", True)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "status: this must be firing or resolved"),
        (alertmanager(status="alerting"), "status: this must be"),
        (alertmanager() | {"alerts": None}, "alerts: this must be a list of one or more"),
        (alertmanager() | {"alerts": "x"}, "alerts: this must be a list of objects"),
        (alertmanager(alert() | {"fingerprint": ""}, groupKey=""), "alerts.0.fingerprint: this field is required"),
        (alertmanager(alert() | {"generatorURL": []}), "alerts.0.generatorURL: this must be text"),
    ],
)
def test_what_does_not_fit_is_refused(document: object, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        event(document)
    assert refused.value.detail.startswith(reason)
