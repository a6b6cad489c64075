"""Prometheus Alertmanager, webhook version 4: one group of alerts is one event.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from notifybot.inbound.event import Event, labels_line, links_of, priority_of, short_key
from notifybot.inbound.received import Fields, Received

MAX_SHOWN = 20
"""Alerts of one group in the text."""
SUMMARIES = ("summary", "title")
DESCRIPTIONS = ("description", "message")
RUNBOOKS = ("runbook_url", "runbook")
DASHBOARDS = ("dashboard_url", "dashboard", "dashboardURL")
STATES = ("firing", "resolved")


def read(received: Received) -> Event:
    group = received.fields()
    if group.text("version") != "4":
        raise group.refuse("version", "this must be 4, the version of Alertmanager's webhook")
    state, alerts = group.text("status"), group.items("alerts")
    if state not in STATES:
        raise group.refuse("status", "this must be firing or resolved")
    if not alerts:
        raise group.refuse("alerts", "this must be a list of one or more alerts")
    labels = group.texts("commonLabels")
    return Event(
        title=title_of(group, alerts),
        text=text_of(group, alerts),
        key=short_key(group.needed("groupKey")),
        is_resolved=state == "resolved",
        priority=priority_of(worst_severity(alerts)),
        links=links_of(_links(group, alerts)),
        labels={name: value for name, value in labels.items() if name != "alertname"},
    )


def title_of(group: Fields, alerts: Sequence[Fields]) -> str:
    """Name the group: its common summary, else the alert's name, else the labels that group it."""
    annotations, labels = group.texts("commonAnnotations"), group.texts("commonLabels")
    names = (first(annotations, SUMMARIES), labels.get("alertname", ""), labels_line(group.texts("groupLabels")))
    name = next(filter(str.strip, names), "Alerts")
    firing = sum(each.text("status") != "resolved" for each in alerts)
    return name if len(alerts) == 1 else f"{name} ({firing or len(alerts)} of {len(alerts)} alerts)"


def text_of(group: Fields, alerts: Sequence[Fields]) -> str:
    """Write what the alerts say, each in one line if there are several; firing ones first."""
    if len(alerts) == 1:
        return _described(alerts[0])
    common = group.texts("commonAnnotations")
    ordered = sorted(alerts, key=lambda each: each.text("status") == "resolved")
    lines = [_line(each, group.texts("commonLabels")) for each in ordered[:MAX_SHOWN]]
    more = [f"and {len(alerts) - MAX_SHOWN} more"] if len(alerts) > MAX_SHOWN else []
    return "\n".join(filter(None, [first(common, DESCRIPTIONS), *lines, *more]))


def worst_severity(alerts: Sequence[Fields]) -> str:
    """Return the most urgent severity among the alerts that fire."""
    firing = [each for each in alerts if each.text("status") != "resolved"] or alerts
    found = {each.texts("labels").get("severity", "") for each in firing}
    ranked = [name for name in found if priority_of(name) is not None]
    return max(ranked, key=_rank, default="")


def first(texts: Mapping[str, str], names: Sequence[str]) -> str:
    return next((texts[name] for name in names if texts.get(name, "").strip()), "")


def silence_link(url: str, labels: Mapping[str, str]) -> str:
    """Return the page of Alertmanager that silences these labels."""
    matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{url.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}" if url else ""


def _rank(severity: str) -> int:
    priority = priority_of(severity)
    return -1 if priority is None else list(type(priority)).index(priority)


def _described(alert: Fields) -> str:
    annotations = alert.texts("annotations")
    return first(annotations, DESCRIPTIONS) or first(annotations, SUMMARIES)


def _line(alert: Fields, common: Mapping[str, str]) -> str:
    own = {name: value for name, value in alert.texts("labels").items() if name not in common}
    annotations = alert.texts("annotations")
    said = first(annotations, SUMMARIES) or first(annotations, DESCRIPTIONS)
    state = "resolved: " if alert.text("status") == "resolved" else ""
    return f"- {state}{' – '.join(filter(None, (said, labels_line(own)))) or alert.text('fingerprint')}"


def _links(group: Fields, alerts: Sequence[Fields]) -> dict[str, str]:
    leading = next((each for each in alerts if each.text("status") != "resolved"), alerts[0])
    annotations = leading.texts("annotations")
    return {
        "Source": leading.text("generatorURL"),
        "Silence": silence_link(group.text("externalURL"), group.texts("commonLabels")),
        "Runbook": first(annotations, RUNBOOKS),
        "Dashboard": first(annotations, DASHBOARDS),
    }
