"""What happened elsewhere: each kind of event has a template that tells of it."""

from aiohttp import web

from notifybot.authorisation import Action
from notifybot.routes import documents
from notifybot.routes.callers import caller_of
from notifybot.routes.fields import EventFields
from notifybot.routes.route import Route, runtime_of
from notifybot.routes.sending import read_event


async def happen(request: web.Request) -> web.Response:
    """Tell of an event; its kind is kept, for the summary to count."""
    new = await read_event(request, caller_of(request))
    found = await runtime_of(request).intake.accept(new)
    return documents.answer(documents.accepted(found), status=200 if found.is_duplicate else 202)


ROUTES = (
    Route(
        "POST",
        "/api/events",
        happen,
        "Say that something happened: post_success, post_failure, automation_executed, or a template of yours.",
        Action.SEND,
        body=EventFields,
        statuses=(200, 202),
        has_form=True,
    ),
)
