"""POST /in/<name>: messages in the formats of other programs; and the last refusals of each route, for admins."""

import contextlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from aiohttp import web

from notifybot.auth import tokens
from notifybot.auth.local_callers import peer_uid
from notifybot.auth.permissions import Action, Caller
from notifybot.auth.remote_callers import invalid_token, peer_address
from notifybot.config.model import Config, Inbound, InboundFormat
from notifybot.errors import NotFound, NotifybotError, TooManyRequests, Unavailable
from notifybot.inbound.event import MAX_TITLE, Event, short_key
from notifybot.inbound.formats import FORMATS, Format
from notifybot.inbound.received import Received
from notifybot.inbound.refusals import Refusals
from notifybot.schemas.messages import IngestFields
from notifybot.schemas.responses import inbound as documents
from notifybot.schemas.responses.inbound import InboundDocument, InboundRoutesDocument
from notifybot.schemas.to_message import message_of
from notifybot.web.allowance import accept, count_bytes
from notifybot.web.bodies import check, read_body
from notifybot.web.documents import json_response
from notifybot.web.guard import CALLERS, caller_of, identified
from notifybot.web.problems import RequestTooSlow
from notifybot.web.route import Route, runtime_of

REFUSALS = web.AppKey("refusals", Refusals)
ACCOUNT = "inbound:"
"""Beginning of the account of senders who present a route's secret."""
NameOf = Callable[[web.Request], Awaitable[str]]
"""Finds the name of the inbound route that a request is for."""
_BODY = web.RequestKey("inbound body", bytes)
_NAME = web.RequestKey("inbound route", str)


async def identify(request: web.Request, name_of: NameOf) -> Caller | None:
    """Return the caller: on TCP by the route's secret or an API token, on the unix socket by who calls."""
    request[_NAME] = name = await name_of(request)
    route, callers = _route(request), request.app[CALLERS]
    is_local = peer_uid(request.transport) is not None
    if is_local or route is None or route.secret is None or _bears_token(request):
        return await identified(request)
    callers.hosts.check(request)
    if await _is_right(request, route, route.secret):
        return Caller(f"{ACCOUNT}{name}", is_admin=False, may_read=False, is_local=False)
    now, address = runtime_of(request).clock.now(), peer_address(request.transport)
    request.app[REFUSALS].note(name, now, 401, f"wrong or no secret, from {address}", None)
    if any(_presented(request)):
        callers.remote.throttle.note_guess(address, "", now)
    raise invalid_token()


async def receive(request: web.Request) -> web.Response:
    """Accept what a program posted; return once it is on disk. Remember it if it does not fit."""
    name = request[_NAME]
    try:
        return await _receive(request, name)
    except (RequestTooSlow, TooManyRequests) as error:  # senders drop what gets a 4xx
        raise Unavailable(error.detail, hint="Try again.") from error
    except NotifybotError as error:
        if error.code < 500 and _route(request) is not None:
            now, body = runtime_of(request).clock.now(), request.get(_BODY, b"")
            request.app[REFUSALS].note(name, now, error.code, error.detail, body)
        raise


async def _receive(request: web.Request, name: str) -> web.Response:
    route, caller = _route(request), caller_of(request)
    form = None if route is None else FORMATS.get(route.format)
    if route is None or form is None:
        raise NotFound(f"There is no inbound route {name!r}.", hint="Add it under inbound in the daemon's config.")
    event = form.read(await _received(request, route))
    if event is None:
        return json_response(InboundDocument(status="ignored"))
    fields = check(IngestFields, dict(_fields(name, route, event)))
    if event.delay is not None:
        fields = fields.model_copy(update={"send_at": runtime_of(request).clock.now() + event.delay})
    new = await message_of(request, caller, fields, fields.content, ())
    try:
        found = await accept(request, new)
    except NotFound:
        if not event.is_resolved:
            raise
        return json_response(InboundDocument(status="nothing to resolve"))
    return json_response(InboundDocument(id=found.id, status=found.status, duplicate=found.is_duplicate))


def _fields(name: str, route: Inbound, event: Event) -> Iterator[tuple[str, object]]:
    """Yield the fields of `POST /api/ingest` that say the same."""
    yield "to", list(route.to)
    yield "content", event.content
    yield "source", name
    yield "acknowledge", route.acknowledge
    yield "priority", event.priority or route.priority
    yield "buttons", [{"text": link.text, "url": link.url} for link in event.buttons]
    if event.title.strip() and event.content != event.title:
        yield "title", event.title.strip() if len(event.title) <= MAX_TITLE else f"{event.title[: MAX_TITLE - 1]}…"
    if event.key is not None:
        yield "dedup_key", short_key(f"{name}: {event.key}")
        yield "action", "resolve" if event.is_resolved else None
    if event.delivery_id is not None:
        yield "client_id", event.delivery_id
    if event.labels:
        yield "data", {"labels": dict(event.labels)}
    if route.acknowledge and route.policy is not None:
        yield "policy", route.policy


async def _received(request: web.Request, route: Inbound) -> Received:
    if _BODY in request:
        count_bytes(request, len(request[_BODY]))
    else:
        request[_BODY] = await read_body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Received(request[_BODY], headers, dict(request.query), route.fields, request.path == "/")


async def _is_right(request: web.Request, route: Inbound, secret: str) -> bool:
    form = FORMATS.get(route.format, Format(lambda _: None))
    if form.is_signed is not None:
        return form.is_signed(await _received(request, route), secret)
    return any(hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode()) for given in _presented(request))


def _presented(request: web.Request) -> Iterator[str]:
    """Yield the secrets that a request presents: bearer, password of basic authentication, query."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            yield credential.strip()
        case "basic":
            yield _password(credential)
    yield request.query.get("token", "")
    yield request.headers.get("X-Gotify-Key", "")
    yield from _in_query(request.query.get("auth", ""))


def _in_query(auth: str) -> Iterator[str]:
    """Read ntfy's ?auth=, an Authorization header in base64 without padding."""
    with contextlib.suppress(ValueError):
        header = urlsafe_b64decode(f"{auth}==").decode("utf-8", "replace")
        scheme, _, credential = header.partition(" ")
        yield _password(credential) if scheme.lower() == "basic" else credential.strip()


def _password(credential: str) -> str:
    try:
        return b64decode(credential.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except (NotBase64, ValueError):
        return ""


def _bears_token(request: web.Request) -> bool:
    return request.headers.get("Authorization", "").lower().startswith(f"bearer {tokens.PREFIX}")


def _route(request: web.Request) -> Inbound | None:
    return runtime_of(request).config.inbound.get(request[_NAME])


async def list_routes(request: web.Request) -> web.Response:
    refusals, routes = request.app[REFUSALS], runtime_of(request).config.inbound
    shown = [documents.route(name, routes[name], refusals.of(name)) for name in sorted(routes)]
    return json_response(InboundRoutesDocument(routes=shown))


LIST = "List inbound routes, with the last requests that each refused."
ROUTES = (Route("GET", "/api/admin/inbound", list_routes, InboundRoutesDocument, LIST, Action.ADMINISTER),)


def foreign(config: Config) -> Iterator[Route]:
    """Yield the routes whose bodies are other programs' formats; docs/inbound/ describes them, OpenAPI does not."""
    yield from _receiving(_in_path, ("POST", "/in/{name}"))
    named = {kind: [name for name, each in config.inbound.items() if each.format is kind] for kind in InboundFormat}
    for name in named[InboundFormat.NTFY]:
        topic = partial(_named, name)
        yield from _receiving(topic, ("PUT", f"/{name}"), ("POST", f"/{name}"), ("PUT", f"/in/{name}"))
        yield from _receiving(topic, *(("GET", f"/{name}/{verb}") for verb in ("publish", "send", "trigger")))
    if named[InboundFormat.NTFY]:
        yield from _receiving(_in_topic, ("POST", "/"))
    if named[InboundFormat.GOTIFY]:
        yield from _receiving(partial(_by_secret, named[InboundFormat.GOTIFY]), ("POST", "/message"))
        for name in named[InboundFormat.GOTIFY]:
            yield from _receiving(partial(_named, name), ("POST", f"/in/{name}/message"))


def _receiving(name_of: NameOf, *places: tuple[str, str]) -> Iterator[Route]:
    found = partial(identify, name_of=name_of)
    for method, path in places:
        yield Route(method, path, receive, InboundDocument, "Receive another format.", Action.SEND, identify=found)


async def _in_path(request: web.Request) -> str:
    return request.match_info["name"]


async def _named(name: str, _: web.Request) -> str:
    return name


async def _in_topic(request: web.Request) -> str:
    """Return the topic that the JSON object in the body names, if it is an inbound route of ntfy's."""
    request[_BODY] = await read_body(request)
    name = Received(request[_BODY]).fields().needed("topic")
    route = runtime_of(request).config.inbound.get(name)
    return name if route is not None and route.format is InboundFormat.NTFY else ""


async def _by_secret(names: list[str], request: web.Request) -> str:
    """Return the route whose secret the request presents, as Gotify's app tokens name an application."""
    inbound, given = runtime_of(request).config.inbound, set(_presented(request)) - {""}
    return next((name for name in names if inbound[name].secret in given), names[0])
