"""One file of routes per concern: parse, one core call, render. `table()` lists them all."""

from notifybot.routes import about, files, messages, people, tokens
from notifybot.routes.route import Route


def table() -> tuple[Route, ...]:
    return about.with_itself((*messages.ROUTES, *people.ROUTES, *files.ROUTES, *tokens.ROUTES, about.HEALTH))
