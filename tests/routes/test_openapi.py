"""The OpenAPI description: it lists every route, and responses to valid and invalid requests match it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from notifybot.auth.permissions import PERMISSIONS
from notifybot.routes import table
from notifybot.routes.openapi import description
from tests.support.door import Door
from tests.support.remote import Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 12
WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
"""All checks except acceptance of valid input: no schema says if a person, a name or a file exists."""
UNDOCUMENTED = {"GET /"}
DOCUMENT: dict[str, Any] = description([route for route in table() if f"{route.method} {route.path}" != "GET /"])


def without_security(document: dict[str, Any]) -> dict[str, Any]:
    """Return the description for the socket, where callers need no credentials."""
    paths = {
        path: {method: {**operation, "security": []} for method, operation in methods.items()}
        for path, methods in document["paths"].items()
    }
    return {**document, "paths": paths}


def operations(document: dict[str, Any]) -> dict[str, Any]:
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return {result.ok().label: result.ok() for result in found if isinstance(result, Ok)}


ON_TCP = operations(DOCUMENT)
ON_THE_SOCKET = operations(without_security(DOCUMENT))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    async with wire(tmp_path_factory.mktemp("d")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    """Allow log lines: so many wrong credentials are logged, as they should be."""


@pytest.fixture(scope="module")
def checks() -> list[Any]:
    load_all_checks()
    return [CHECKS.get_one(name) for name in WANTED]


async def test_it_names_every_route_and_no_other() -> None:
    described = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described | UNDOCUMENTED == {f"{route.method} {route.path}" for route in table()}


async def test_every_route_that_changes_something_describes_its_body() -> None:
    assert [route.path for route in table() if route.method != "GET" and route.body is None] == []


async def test_every_body_and_query_forbids_unknown_fields() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name.endswith(("Fields", "Query")):
            assert schema["additionalProperties"] is False, name


async def test_it_describes_the_required_credentials() -> None:
    for route in table():
        if f"{route.method} {route.path}" not in UNDOCUMENTED:
            operation = DOCUMENT["paths"][route.path][route.method.lower()]
            assert ({} in operation["security"]) == PERMISSIONS[route.action].allows_anonymous


async def test_both_listeners_serve_the_same_description(line: Wire) -> None:
    answers = [await door.ask("GET", "/openapi.json") for door in (line, line.socket)]
    assert [answer.json for answer in answers] == [DOCUMENT, DOCUMENT]


@contextlib.asynccontextmanager
async def relay(door: Door) -> AsyncIterator[str]:
    """Forward a TCP port to the unix socket, which HTTP libraries do not support."""

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(65536):
                target.write(piece)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours, theirs = await asyncio.open_unix_connection(door.path)
        await asyncio.gather(carry(reader, theirs), carry(ours, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def attack(operation: Any, mode: GenerationMode, address: str, headers: dict[str, str], checks: list[Any]) -> None:
    """Call one operation repeatedly, and check every response against the description."""

    checks_of_any = [check for check in checks if check is not CHECKS.get_one("negative_data_rejection")]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url=address, headers=headers, timeout=30)
        case.validate_response(response, checks=checks if is_as_made(case, response.request.url) else checks_of_any)

    ask()


def is_as_made(case: Any, url: str) -> bool:
    """Return True if the whole query was sent: an empty list, for example, leaves no trace in a URL."""
    return set(case.query or ()) == set(parse_qs(urlsplit(url).query, keep_blank_values=True))


def modes(operation: Any) -> Iterator[GenerationMode]:
    yield GenerationMode.POSITIVE
    if operation.body or operation.query or operation.headers:
        yield GenerationMode.NEGATIVE


@pytest.mark.parametrize("label", ON_TCP)
@pytest.mark.slow_because("it makes many requests of each kind")
async def test_on_the_socket_every_answer_is_as_described(line: Wire, label: str, checks: list[Any]) -> None:
    async with relay(line.socket) as address:
        for mode in modes(ON_THE_SOCKET[label]):
            await asyncio.to_thread(attack, ON_THE_SOCKET[label], mode, address, {}, checks)


@pytest.mark.parametrize("label", ON_TCP)
@pytest.mark.slow_because("it makes many requests of each kind")
async def test_on_tcp_every_answer_is_as_described(line: Wire, label: str, checks: list[Any]) -> None:
    secret = await line.token(f"t{len(await tokens(line))}", scopes=["admin"])
    headers = {"Authorization": f"Bearer {secret}"}
    for mode in modes(ON_THE_SOCKET[label]):
        # The token is always sent, so a missing one cannot be the reason for a refusal.
        operation = ON_TCP[label] if mode is GenerationMode.POSITIVE else ON_THE_SOCKET[label]
        await asyncio.to_thread(attack, operation, mode, f"http://127.0.0.1:{line.port}", headers, checks)


async def tokens(line: Wire) -> list[Any]:
    found: list[Any] = (await line.socket.ask("GET", "/api/admin/tokens")).json["tokens"]
    return found


async def test_responses_about_existing_objects_match_the_description(line: Wire, checks: list[Any]) -> None:
    """Random requests hardly ever name a message that exists."""
    sent = (await line.socket.ingest(title="db-1", data={"host": "db-1"})).json
    await line.token("described", scopes=["admin"])
    await line.socket.ask("POST", "/subscribe-user", {"chat_id": 77, "chat_name": "anna"})
    asked = {
        "GET /api/messages": {},
        "GET /api/messages/{id}": {"id": sent["id"]},
        "POST /api/messages/{id}/acknowledge": {"id": sent["id"]},
        "GET /api/admin/tokens": {},
        "DELETE /api/admin/tokens/{name}": {"name": "described"},
        "GET /api/admin/scheduler/status": {},
        "POST /api/admin/scheduler/jobs/{name}/trigger": {"name": "retention"},
        "GET /api/oncall": {},
        "GET /subscribed-users": {},
        "GET /api/people": {},
        "GET /api/people/{name}": {"name": "77"},
    }
    async with relay(line.socket) as address:
        for label, named in asked.items():
            assert await asyncio.to_thread(is_found, ON_THE_SOCKET[label], named, address, checks), label


def is_found(operation: Any, named: dict[str, Any], address: str, checks: list[Any]) -> bool:
    """Return True for a 200; raise if the response does not match the description."""
    response = operation.Case(path_parameters=named).call(base_url=address, timeout=30)
    operation.Case(path_parameters=named).validate_response(response, checks=checks)
    return bool(response.status_code == 200)
