"""Documents of other programs, written by hand from the field names in their documentation."""

from typing import Any

Json = dict[str, Any]


def alert(number: int = 1, *, status: str = "firing", annotations: Json | None = None, **labels: str) -> Json:
    return {
        "status": status,
        "labels": {"alertname": "DiskFull", "severity": "critical", "instance": f"db{number}", **labels},
        "annotations": {"description": f"/var is full on db{number}"} if annotations is None else annotations,
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example.org/graph?g0.expr=up",
        "fingerprint": f"abc{number}",
    }


def alertmanager(*alerts: Json, status: str = "firing", **more: Any) -> Json:
    found = list(alerts) or [alert()]
    common = set.intersection(*(set(each["labels"].items()) for each in found))
    return {
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "notifybot",
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": dict(common),
        "commonAnnotations": {},
        "externalURL": "https://alerts.example.org",
        "alerts": found,
        **more,
    }
