"""What this is, what it can do, and how it goes."""

import asyncio
import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from aiohttp import web
from sqlmodel import Session

from notifybot import __version__, health, job_troubles, reading, routing, schedules
from notifybot.authorisation import Action
from notifybot.config import Config
from notifybot.config_model import Http, Mode
from notifybot.errors import Unavailable
from notifybot.escalation_gaps import gaps
from notifybot.health import Facts, Status
from notifybot.policies import plan_of
from notifybot.reading import Backlog
from notifybot.routes import documents
from notifybot.routes.callers import CALLERS, known_caller_of
from notifybot.routes.route import Route, runtime_of
from notifybot.runtime import Runtime
from notifybot.unknown_names import listed

DATABASE_WITHIN_S = 5.0
T = TypeVar("T")


def with_itself(routes: Sequence[Route]) -> tuple[Route, ...]:
    """All routes and the one that lists them."""

    async def about(request: web.Request) -> web.Response:
        endpoints = {f"{route.method} {route.path}": route.about for route in everything}
        greeting = "notifybot tells the right people in Telegram."
        version = {} if known_caller_of(request) is None else {"version": __version__}
        return documents.answer({"message": greeting, **version, "endpoints": endpoints})

    everything = (Route("GET", "/", about, "This list.", Action.LOOK), *routes)
    return everything


async def show_health(request: web.Request) -> web.Response:
    """How it goes; strangers are told the status alone."""
    found = health.assess(await _facts(request))
    document: documents.Document = {"status": found.status}
    if known_caller_of(request) is not None:
        document = {**dataclasses.asdict(found), "version": __version__}
    return documents.answer(document, status=503 if found.status is Status.DOWN else 200)


async def _facts(request: web.Request) -> Facts:
    runtime = runtime_of(request)
    now = runtime.clock.now()
    guessing = request.app[CALLERS].remote.guesses.warning(now)
    return Facts(
        now=now,
        is_moving=runtime.progress.is_moving(now),
        telegram=runtime.link.state,
        telegram_reason=runtime.link.reason,
        backlog=await _backlog(runtime),
        job_errors=runtime.progress.job_errors,
        put_off=await _told(runtime, job_troubles.in_words, {}),
        hanging=runtime.progress.hanging(now),
        notes=(
            *configuration_notes(runtime.config),
            *await _absent(runtime),
            *await _unheard(runtime),
            *await _gaps(runtime),
            *await _zones(runtime),
            *([guessing] if guessing else []),
        ),
    )


async def _backlog(runtime: Runtime) -> Backlog | None:
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            await runtime.database.write(health.touch)
            return await runtime.database.read(reading.backlog)
    except (TimeoutError, Unavailable):
        return None


async def _told(runtime: Runtime, look: Callable[[Session], T], otherwise: T) -> T:
    """What the database says; `otherwise` where it does not answer."""
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            return await runtime.database.read(look)
    except (TimeoutError, Unavailable):
        return otherwise


async def _absent(runtime: Runtime) -> list[str]:
    """Whom messages to a name of the config leave out."""
    if not runtime.directory.names:
        return []
    find = partial(routing.members_without_chat, directory=runtime.directory)
    absent: list[str] = await _told(runtime, find, [])
    return [f"Names of the config leave out who has no chat with the bot: {listed(absent)}."] if absent else []


async def _unheard(runtime: Runtime) -> list[str]:
    """The admins who are not told when a job fails."""
    if not runtime.config.admins:
        return []
    find = partial(routing.without_chat, recipients=runtime.config.admins, directory=runtime.directory)
    absent: list[str] = await _told(runtime, find, [])
    return [f"Not told when a job fails, for want of a chat with the bot: {listed(absent)}."] if absent else []


async def _gaps(runtime: Runtime) -> list[str]:
    """Where alerts would escalate to nobody."""
    alerts = runtime.config.alerts
    plans = {name: plan_of(policy, None) for name, policy in alerts.policies.items()}
    find = partial(gaps, plans=plans, channel=alerts.escalation_channel, directory=runtime.directory)
    return await _told(runtime, find, [])


async def _zones(runtime: Runtime) -> list[str]:
    """What repeats in a zone that is not known any more."""
    unknown: list[str] = await _told(runtime, schedules.unknown_zones, [])
    return (
        [f"Schedules go on by UTC, in time zones that this system does not know: {listed(unknown)}."] if unknown else []
    )


def configuration_notes(config: Config) -> tuple[str, ...]:
    """What the operator left open and may have forgotten."""
    notes = []
    if config.telegram.token is None:
        notes.append("No bot token is configured: messages wait. Set telegram.token or TELEGRAM_BOT_TOKEN.")
    if config.alerts.escalation_channel is None:
        which = "unanswered alerts without a policy" if config.alerts.policies else "unanswered alerts"
        notes.append(f"No escalation channel is configured: {which} escalate to nobody.")
    notes += _about_http(config.http)
    if config.telegram.mode is Mode.WEBHOOK:
        notes.append("telegram.mode is webhook, but this version fetches updates by polling.")
    return tuple(notes)


def _about_http(http: Http) -> Iterator[str]:
    if http.listen is not None and http.tls is None and not _is_near(http.listen.host):
        yield "http.listen is open to the network without http.tls: tokens cross it in the clear."
    if any(network.prefixlen == 0 for opened in http.anonymous for network in opened.networks):
        yield "http.anonymous lets callers in from everywhere, without a token."


def _is_near(host: str) -> bool:
    """Whether only this machine reaches it."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


HEALTH = Route(
    "GET", "/health", show_health, "How it goes: status, what waits, warnings.", Action.LOOK, statuses=(200, 503)
)
