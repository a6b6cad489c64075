"""Uptime Kuma's webhook: the heartbeat of one monitor. https://github.com/louislam/uptime-kuma/wiki/Notification-Methods"""

from notifybot.inbound.event import Event, links_of
from notifybot.inbound.received import Fields, Received

DOWN, UP, PENDING, MAINTENANCE = "0", "1", "2", "3"


def read(received: Received) -> Event | None:
    """Return the event; None for a monitor that is retried or under maintenance."""
    document = received.fields()
    heartbeat, monitor = document.section("heartbeat"), document.section("monitor")
    if not heartbeat.values:  # its test message, and the expiry of a certificate
        return Event(title=monitor.text("name") or "Uptime Kuma", text=document.needed("msg"))
    status = heartbeat.text("status")
    if status in (PENDING, MAINTENANCE):
        return None
    if status not in (DOWN, UP):
        raise heartbeat.refuse("status", "this must be 0 (down), 1 (up), 2 (pending) or 3 (maintenance)")
    number = monitor.text("id") or heartbeat.needed("monitorID")
    return Event(
        title=f"{monitor.text('name') or f'Monitor {number}'} is {'up' if status == UP else 'down'}",
        text=heartbeat.text("msg") or document.text("msg"),
        key=f"monitor {number}"[:100],
        is_resolved=status == UP,
        links=links_of({"Open": monitor.text("url")}),
        labels=_labels(monitor),
    )


def _labels(monitor: Fields) -> dict[str, str]:
    """Return where the monitor looks, if its URL does not say so, and its tags."""
    host, port = monitor.text("hostname"), monitor.text("port")
    where = {"host": f"{host}:{port}" if port else host} if host else {}
    tags = monitor.values.get("tags")
    named = monitor.items("tags") if isinstance(tags, list) and all(isinstance(tag, dict) for tag in tags) else []
    return where | {tag.text("name"): tag.text("value") or "yes" for tag in named if tag.text("name")}
