"""Zabbix, through the media type in docs/inbound/zabbix-media-type.yaml, which posts these fields as JSON."""

from notifybot.inbound.event import Event, links_of, priority_of, short_key
from notifybot.inbound.received import Received

PROBLEM, RECOVERY = "1", "0"
"""Of {EVENT.VALUE}."""


def read(received: Received) -> Event:
    problem = received.fields()
    value = problem.text("event_value")
    if value not in (PROBLEM, RECOVERY):
        raise problem.refuse("event_value", "this must be 1 or 0: pass {EVENT.VALUE}")
    host = problem.text("host_name")
    return Event(
        title=problem.text("event_name") or problem.needed("subject"),
        text=problem.text("message"),
        key=short_key(problem.needed("event_id")),
        is_resolved=value == RECOVERY,
        priority=priority_of(problem.text("event_severity")),
        links=links_of({"Open in Zabbix": problem.text("url")}),
        labels={"host": host} if host else {},
    )
