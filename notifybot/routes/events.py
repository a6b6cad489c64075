"""POST /api/events: send the message of an event's template."""

from aiohttp import web

from notifybot.auth.permissions import Action
from notifybot.schemas.messages import EventFields
from notifybot.schemas.responses import messages
from notifybot.schemas.responses.messages import AcceptedDocument
from notifybot.schemas.to_message import read_event
from notifybot.web.allowance import accept
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.route import Route


async def send_event(request: web.Request) -> web.Response:
    """Send an event; the summary counts its name."""
    new = await read_event(request, caller_of(request))
    found = await accept(request, new)
    return json_response(messages.accepted(found, new), status=200 if found.is_duplicate else 202)


ROUTES = (
    Route(
        "POST",
        "/api/events",
        send_event,
        AcceptedDocument,
        "Report an event: post_success, post_failure, automation_executed, or the name of one of your templates.",
        Action.SEND,
        body=EventFields,
        statuses=(200, 202),
        takes_form=True,
    ),
)
