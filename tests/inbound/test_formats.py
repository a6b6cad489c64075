"""The table of formats and the list of those that are not served agree."""

from notifybot.config.model import NOT_SERVED, InboundFormat
from notifybot.inbound.formats import FORMATS


def test_each_format_is_served_or_said_not_to_be() -> None:
    assert FORMATS.keys() == set(InboundFormat) - NOT_SERVED
