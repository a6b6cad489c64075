"""Grafana OnCall's formatted webhook. https://grafana.com/docs/oncall/latest/configure/integrations/references/webhook/"""

from notifybot.inbound.event import Event, is_over, links_of, short_key
from notifybot.inbound.received import Received


def read(received: Received) -> Event:
    alert = received.fields()
    title, message = alert.text("title"), alert.text("message")
    if not (title + message).strip():
        raise alert.refuse("title", "this field is required, or message")
    return Event(
        title=title,
        text=message,
        key=short_key(alert.text("alert_uid")),
        is_resolved=is_over(alert.text("state")),
        links=links_of({"Source": alert.text("link_to_upstream_details"), "Image": alert.text("image_url")}),
    )
