"""Healthchecks' webhook, whose body the operator writes with its placeholders: lines like `name=$NAME`, or JSON."""

from notifybot.inbound.event import Event, links_of, short_key
from notifybot.inbound.received import Fields, Received, as_text

STATUSES = ("down", "up")


def read(received: Received) -> Event:
    check = _fields(received)
    status = check.text("status")
    if status not in STATUSES:
        raise check.refuse("status", "this must be down or up: write status=$STATUS into the webhook's body")
    name = check.text("name") or check.needed("code")
    return Event(
        title=f"{name} is {status}",
        text="The check did not report in time." if status == "down" else "The check reports again.",
        key=short_key(check.text("code") or name),
        is_resolved=status == "up",
        links=links_of({"Open": check.text("url")}),
        labels={"tags": check.text("tags")} if check.text("tags").strip() else {},
    )


def _fields(received: Received) -> Fields:
    """Return the fields of the body. Lines need no quoting, which $NAME would lack in JSON."""
    text = received.text.strip()
    if text.startswith("{"):
        return received.fields()
    pairs = (line.partition("=") for line in text.splitlines())
    return Fields({name.strip(): as_text(value.strip()) for name, _, value in pairs})
