"""One file of routes per concern: parse, one core call, render. `table()` lists them all."""

from notifybot.routes import (
    about,
    events,
    files,
    importing,
    messages,
    on_call,
    openapi,
    people,
    scheduler,
    schedules,
    telegram,
    tokens,
)
from notifybot.routes.route import Route

CONCERNS = (messages, events, schedules, people, telegram, files, tokens, on_call, scheduler, importing)


def table() -> tuple[Route, ...]:
    routes = (*(route for concern in CONCERNS for route in concern.ROUTES), about.HEALTH)
    return about.with_itself((*routes, openapi.describing(routes)))
