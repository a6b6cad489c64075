"""Warn about settings that are missing or unsafe."""

import ipaddress
from collections.abc import Iterator
from contextlib import suppress

from notifybot.config.model import Config, DeliveryConfig, Http, Mode, Scripts


def configuration_notes(config: Config) -> tuple[str, ...]:
    """Return a sentence for each setting that the operator may have forgotten."""
    notes: list[str] = []
    if config.telegram.token is None:
        notes.append("No bot token is configured: messages wait. Set telegram.token or TELEGRAM_BOT_TOKEN.")
    if config.alerts.escalation_channel is None:
        which = "unacknowledged alerts without a policy" if config.alerts.policies else "unacknowledged alerts"
        notes.append(f"No escalation channel is configured: {which} escalate to no one.")
    notes += _http_notes(config.http)
    notes += _without_effect(config)
    return tuple(notes)


def _without_effect(config: Config) -> Iterator[str]:
    """Name the settings that this version reads and checks, but does not serve yet."""
    telegram = config.telegram
    if telegram.mode is Mode.WEBHOOK:
        yield "telegram.mode is webhook, but this version fetches updates by polling."
    elif telegram.webhook.url is not None:
        yield "telegram.webhook has no effect: this version fetches updates by polling."
    if config.scripts != Scripts():
        yield "scripts has no effect: this version has no /scripts command in Telegram."
    if config.delivery.storm_after != DeliveryConfig().storm_after:
        yield "delivery.storm_after has no effect: this version does not merge waiting messages."


def _http_notes(http: Http) -> Iterator[str]:
    if http.listen is not None and http.tls is None and not _is_loopback(http.listen.host):
        yield "http.listen is open to the network without http.tls: tokens are sent in the clear."
    if any(network.prefixlen == 0 for opened in http.anonymous for network in opened.networks):
        yield "http.anonymous allows callers from anywhere, without a token."


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
