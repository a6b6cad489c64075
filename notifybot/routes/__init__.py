"""HTTP routes, one file per path group: parse, call the domain, render. `table()` lists them all."""

from notifybot.routes import (
    account,
    events,
    files,
    health,
    import_people,
    inbound,
    index,
    jobs,
    messages,
    oncall,
    openapi,
    people,
    schedules,
    tokens,
)
from notifybot.web.route import Route, ShortRoute

MODULES = (messages, events, schedules, people, account, files, tokens, oncall, jobs, import_people, inbound)


def table() -> tuple[Route, ...]:
    routes = (*(route for concern in MODULES for route in concern.ROUTES), health.HEALTH)
    return index.with_index((*routes, openapi.with_openapi(routes)))


def short_routes() -> dict[tuple[str, str], ShortRoute]:
    return messages.SHORT_ROUTES
