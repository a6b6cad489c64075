"""One file of routes per concern: parse, one core call, render. `table()` lists them all."""

from notifybot.routes import about, files, importing, messages, on_call, openapi, people, scheduler, telegram, tokens
from notifybot.routes.route import Route

CONCERNS = (messages, people, telegram, files, tokens, on_call, scheduler, importing)


def table() -> tuple[Route, ...]:
    routes = (*(route for concern in CONCERNS for route in concern.ROUTES), about.HEALTH)
    return about.with_itself((*routes, openapi.describing(routes)))
