"""Decide by a message's priority how urgent its posts are, and if they are silent."""

from datetime import datetime
from typing import NamedTuple

from notifybot.model.enums import Urgency
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance

_URGENCY_OF_NOTICES = {
    "low": Urgency.BULK,
    "normal": Urgency.NOTICE,
    "high": Urgency.HIGH,
    "critical": Urgency.ALERT,
}


class SendOptions(NamedTuple):
    """Columns of posts that are sent in the same way. `not_before`: end of their reader's quiet hours."""

    urgency: Urgency
    is_silent: bool = False
    thread_id: int | None = None
    not_before: datetime | None = None


_DEFAULTS = {True: SendOptions(Urgency.ALERT), False: SendOptions(Urgency.NOTICE)}


def send_options(look: Appearance, *, is_alert: bool) -> SendOptions:
    """An alert is always urgent; a notice as its priority says. Low priority is silent."""
    if look is DEFAULT_APPEARANCE:
        return _DEFAULTS[is_alert]
    urgency = Urgency.ALERT if is_alert else _URGENCY_OF_NOTICES[look.priority]
    return SendOptions(urgency, look.silent or look.priority == "low", look.thread_id)
