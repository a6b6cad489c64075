"""What the media type of Zabbix posts, as events."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from notifybot.errors import NotifybotError
from notifybot.inbound.received import Received
from notifybot.inbound.zabbix import read
from notifybot.model.enums import Priority

MEDIA_TYPE = Path(__file__).parents[2] / "docs" / "inbound" / "zabbix-media-type.yaml"
PROBLEM = {
    "event_id": "71",
    "event_value": "1",
    "event_name": "Disk is full",
    "event_severity": "Disaster",
    "host_name": "db1",
    "message": "97 %",
    "url": "https://zabbix.example.org/tr_events.php?triggerid=1&eventid=71",
}


@pytest.mark.parametrize(
    ("more", "facts"),
    [
        ({}, {"title": "Disk is full", "content": "97 %\nhost: db1", "key": "71", "priority": Priority.CRITICAL}),
        ({"event_value": "0"}, {"is_resolved": True, "key": "71"}),
        ({"event_value": 1, "event_id": 71}, {"is_resolved": False, "key": "71"}),
        ({"event_severity": "High"}, {"priority": Priority.HIGH}),
        ({"event_severity": "Average"}, {"priority": Priority.NORMAL}),
        ({"event_severity": "Information"}, {"priority": Priority.LOW}),
        ({"event_severity": "Not classified"}, {"priority": None}),
        ({"event_name": "", "subject": "Problem: x"}, {"title": "Problem: x"}),
        ({"host_name": None, "message": ""}, {"content": "Disk is full"}),
    ],
)
def test_a_problem(more: dict[str, Any], facts: dict[str, Any]) -> None:
    found = read(Received(json.dumps(PROBLEM | more).encode()))
    assert {name: getattr(found, name) for name in facts} == facts
    assert [link.text for link in found.buttons] == ["Open in Zabbix"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "event_value: this must be 1 or 0"),
        (PROBLEM | {"event_value": "{EVENT.VALUE}"}, "event_value: this must be 1 or 0"),
        (PROBLEM | {"event_id": ""}, "event_id: this field is required"),
        (PROBLEM | {"event_name": ""}, "subject: this field is required"),
        (PROBLEM | {"host_name": ["db1"]}, "host_name: this must be text"),
    ],
)
def test_what_does_not_fit_is_refused(document: object, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        read(Received(json.dumps(document).encode()))
    assert refused.value.detail.startswith(reason)


def test_the_media_type_passes_each_field_that_is_read() -> None:
    (media_type,) = yaml.safe_load(MEDIA_TYPE.read_text(encoding="utf-8"))["zabbix_export"]["media_types"]
    passed = {each["name"] for each in media_type["parameters"]}
    assert PROBLEM.keys() - passed == {"url"}
    assert "given.url = " in media_type["script"]
