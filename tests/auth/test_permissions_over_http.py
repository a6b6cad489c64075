"""Every route, called by every kind of caller on TCP: exactly those in the permission table are admitted."""

from pathlib import Path

from notifybot.auth.permissions import PERMISSIONS, Action, Scope
from notifybot.routes import table
from notifybot.web.route import Route
from tests.support.door import assert_problem
from tests.support.remote import Wire, wire

SCOPES: tuple[tuple[str, ...], ...] = ((), ("send",), ("read",), ("send", "read"), ("admin",))
ROUTES = {f"{route.method} {route.path}": route for route in table()}


def statuses(route: Route, scopes: tuple[str, ...]) -> set[int]:
    """Return the possible statuses of a refusal; empty if the request is admitted and the route itself responds."""
    rule = PERMISSIONS[route.action]
    if not scopes:
        return set() if rule.allows_anonymous else {401}
    held = set(Scope) if "admin" in scopes else set(map(Scope, scopes))
    return set() if rule.needs <= held else {403}


async def ask(line: Wire, name: str, scopes: tuple[str, ...], tokens: dict[tuple[str, ...], str]) -> None:
    method, path = name.split()
    own = "nobody" if "/tokens/" in path else "-".join(scopes) or "nobody"
    target = (
        path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
        .replace("{name}", own)
        .replace("{rotation}", "duty")
    )
    headers = {"Authorization": f"Bearer {tokens[scopes]}"} if scopes else {}
    answer = await line.ask(method, target, **headers)
    refusals = statuses(ROUTES[name], scopes)
    if refusals:
        assert_problem(answer, next(iter(refusals)))
    else:
        assert answer.status not in (401, 403), (name, scopes, answer)


async def test_every_route_admits_whom_the_table_says(folder: Path) -> None:
    async with wire(folder) as line:
        tokens = {scopes: await line.token("-".join(scopes), scopes=list(scopes)) for scopes in SCOPES if scopes}
        for name in ROUTES:
            for scopes in SCOPES:
                await ask(line, name, scopes, tokens)


def test_only_looking_allows_anonymous() -> None:
    assert {name for name, route in ROUTES.items() if PERMISSIONS[route.action].allows_anonymous} <= {
        "GET /",
        "GET /health",
        "GET /openapi.json",
    }


def test_every_route_that_changes_something_needs_more_than_reading() -> None:
    only_looks = {"POST /api/telegram/verify-link"}
    for name, route in ROUTES.items():
        if route.method != "GET" and name not in only_looks:
            assert PERMISSIONS[route.action].needs - {Scope.READ}, name


def test_no_admin_route_is_open_to_others() -> None:
    assert {route.action for name, route in ROUTES.items() if "/admin/" in name} == {Action.ADMINISTER}
