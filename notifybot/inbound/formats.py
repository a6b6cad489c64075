"""The table of formats: how each is read, and how its sender is verified."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notifybot.config.model import InboundFormat
from notifybot.inbound import alertmanager, github, grafana, healthchecks, oncall, plain, push, uptime_kuma, zabbix
from notifybot.inbound.event import Event
from notifybot.inbound.received import Received


@dataclass(frozen=True)
class Format:
    """`read` returns None for an event that concerns nobody, such as GitHub's ping.

    `is_signed`: the format's own check of the secret, over the body; without one the secret itself is presented.
    """

    read: Callable[[Received], Event | None]
    is_signed: Callable[[Received, str], bool] | None = None


FORMATS: Mapping[InboundFormat, Format] = {
    InboundFormat.ALERTMANAGER: Format(alertmanager.read),
    InboundFormat.GRAFANA: Format(grafana.read),
    InboundFormat.UPTIME_KUMA: Format(uptime_kuma.read),
    InboundFormat.GITHUB: Format(github.read, github.is_signed),
    InboundFormat.HEALTHCHECKS: Format(healthchecks.read),
    InboundFormat.ONCALL: Format(oncall.read),
    InboundFormat.ZABBIX: Format(zabbix.read),
    InboundFormat.NTFY: Format(push.read_ntfy),
    InboundFormat.GOTIFY: Format(push.read_gotify),
    InboundFormat.APPRISE: Format(push.read_apprise),
    InboundFormat.JSON: Format(plain.read_json),
    InboundFormat.FORM: Format(plain.read_form),
    InboundFormat.TEXT: Format(plain.read_text),
}
"""All of the config's; a test compares them."""
