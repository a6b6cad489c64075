"""Grafana's webhook contact point: one group of alerts is one event.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from notifybot.inbound.alertmanager import RUNBOOKS, STATES, first, text_of, title_of, worst_severity
from notifybot.inbound.event import Event, links_of, priority_of, short_key
from notifybot.inbound.received import Fields, Received

INTERNAL = "__"
"""Beginning of labels that Grafana adds for itself."""
HIDDEN = ("alertname", "ref_id", "datasource_uid", "rulename")


def read(received: Received) -> Event:
    group = received.fields()
    state, alerts = group.text("status"), group.items("alerts")
    if state not in STATES:
        raise group.refuse("status", "this must be firing or resolved")
    if not alerts:
        raise group.refuse("alerts", "this must be a list of one or more alerts")
    shown = group.texts("commonLabels").items()
    return Event(
        title=title_of(group, alerts),
        text=text_of(group, alerts),
        key=short_key(group.text("groupKey") or alerts[0].needed("fingerprint")),
        is_resolved=state == "resolved",
        priority=priority_of(worst_severity(alerts)),
        links=links_of(_links(next((each for each in alerts if each.text("status") != "resolved"), alerts[0]))),
        labels={name: value for name, value in shown if name not in HIDDEN and not name.startswith(INTERNAL)},
    )


def _links(alert: Fields) -> dict[str, str]:
    return {
        "Source": alert.text("generatorURL"),
        "Silence": alert.text("silenceURL"),
        "Runbook": first(alert.texts("annotations"), RUNBOOKS),
        "Dashboard": alert.text("panelURL") or alert.text("dashboardURL"),
    }
