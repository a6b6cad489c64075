"""One file of routes per concern: parse, one core call, render. `table()` lists them all."""

from notifybot.routes import about, files, messages, people, telegram, tokens
from notifybot.routes.route import Route

CONCERNS = (messages, people, telegram, files, tokens)


def table() -> tuple[Route, ...]:
    return about.with_itself((*(route for concern in CONCERNS for route in concern.ROUTES), about.HEALTH))
