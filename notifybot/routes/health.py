"""GET /health: status, backlog, and warnings for the operator."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from aiohttp import web
from sqlmodel import Session

from notifybot import __version__
from notifybot.alerts.policy import escalation_plan
from notifybot.alerts.policy_gaps import find_gaps
from notifybot.auth import permissions
from notifybot.auth.permissions import Action
from notifybot.errors import Unavailable
from notifybot.health import assess, job_failures, lost_names, unknown_zones
from notifybot.health.assess import HealthFacts, HealthStatus
from notifybot.health.chat_warnings import ChatWarnings, chat_warnings
from notifybot.health.config_notes import configuration_notes
from notifybot.health.exposed_files import exposure_notes
from notifybot.health.unknown_zones import UnknownZone
from notifybot.messages import queries
from notifybot.messages.queries import Backlog
from notifybot.posts import bot as posts_bot
from notifybot.posts import clock_steps
from notifybot.recipients import reachability
from notifybot.runtime import Runtime
from notifybot.schemas.responses.jobs import HealthDocument
from notifybot.system import log_queue
from notifybot.telegram_api.connection_state import other_bot_words
from notifybot.times.display import listed
from notifybot.web.documents import build, json_response
from notifybot.web.guard import CALLERS, known_caller_of
from notifybot.web.route import Route, runtime_of

DATABASE_WITHIN_S = 5.0
T = TypeVar("T")


async def show_health(request: web.Request) -> web.Response:
    """Assess the daemon. Callers without a token get the status alone."""
    found = assess.assess(await _facts(request))
    sees_all = permissions.may(known_caller_of(request), Action.SEE_HEALTH)
    document = build(HealthDocument, found, version=__version__) if sees_all else HealthDocument(status=found.status)
    return json_response(document, status=503 if found.status is HealthStatus.DOWN else 200)


async def _facts(request: web.Request) -> HealthFacts:
    runtime = runtime_of(request)
    now = runtime.clock.now()
    chats = await _read(runtime, partial(chat_warnings, now=now), ChatWarnings())
    callers = request.app[CALLERS]
    about_callers = (callers.remote.throttle.warning(now), callers.allowances.warning(now))
    return HealthFacts(
        now=now,
        is_moving=runtime.job_status.is_moving(now),
        telegram=runtime.telegram.state,
        telegram_reason=runtime.telegram.reason,
        backlog=await _backlog(runtime),
        job_errors=runtime.job_status.job_errors,
        put_off=await _read(runtime, job_failures.put_off_warnings, {}),
        hanging=runtime.job_status.hanging(now),
        troubles=(*chats.bans, *runtime.kept_files.troubles, *filter(None, [log_queue.warning()])),
        log_lines_dropped=log_queue.dropped(),
        notes=(
            *chats.topics,
            *configuration_notes(runtime.config),
            *runtime.start_warnings,
            *exposure_notes(runtime.config),
            *runtime.under_way.warnings(),
            *await _missing_members(runtime),
            *await _missing_admins(runtime),
            *await _policy_gaps(runtime),
            *await _unknown_zones(runtime),
            *await _lost_names(runtime),
            *await _other_bot(runtime, now),
            *filter(None, [runtime.telegram.recent_webhook(now), *about_callers]),
            *await _clock_warnings(runtime),
        ),
    )


async def _backlog(runtime: Runtime) -> Backlog | None:
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            await runtime.database.write(assess.check_writable)
            return await runtime.database.read(queries.backlog)
    except (TimeoutError, Unavailable):
        return None


async def _read(runtime: Runtime, look: Callable[[Session], T], default: T) -> T:
    """Query the database; return `default` if it does not respond."""
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            return await runtime.database.read(look)
    except (TimeoutError, Unavailable):
        return default


async def _missing_members(runtime: Runtime) -> list[str]:
    """Warn of members of configured names without a chat."""
    if not runtime.directory.names:
        return []
    find = partial(reachability.members_without_chat, directory=runtime.directory)
    absent: list[str] = await _read(runtime, find, [])
    return [f"Listed in recipients or rotations, but have no chat with the bot: {listed(absent)}."] if absent else []


async def _missing_admins(runtime: Runtime) -> list[str]:
    """Warn of admins without a chat: they are not notified of failing jobs."""
    if not runtime.config.admins:
        return []
    find = partial(reachability.without_chat, recipients=runtime.config.admins, directory=runtime.directory)
    absent: list[str] = await _read(runtime, find, [])
    sentence = f"These admins get no job failure notices because they have no chat with the bot: {listed(absent)}."
    return [sentence] if absent else []


async def _policy_gaps(runtime: Runtime) -> list[str]:
    """Warn about policies with steps that reach no one."""
    alerts = runtime.config.alerts
    plans = {name: escalation_plan(policy, None) for name, policy in alerts.policies.items()}
    find = partial(find_gaps, plans=plans, channel=alerts.escalation_channel, directory=runtime.directory)
    return await _read(runtime, find, [])


async def _clock_warnings(runtime: Runtime) -> Sequence[str]:
    """Warn of a clock that was set, or differs from Telegram's."""
    ahead, now = runtime.telegram.ahead_by, runtime.clock.now()
    nothing: Sequence[str] = ()
    return await _read(runtime, partial(clock_steps.warnings, now=now, ahead_of_telegram=ahead), nothing)


async def _unknown_zones(runtime: Runtime) -> list[str]:
    zones: list[UnknownZone] = await _read(runtime, partial(unknown_zones.unknown_zones, config=runtime.config), [])
    return [zone.warning for zone in zones]


async def _lost_names(runtime: Runtime) -> list[str]:
    """Warn of what is to be sent to names that lead to nobody."""
    find = partial(lost_names.lost_names, directory=runtime.directory, now=runtime.clock.now())
    return await _read(runtime, find, [])


async def _other_bot(runtime: Runtime, now: datetime) -> list[str]:
    """Warn that the token is of another bot than the one that used this database."""
    token = runtime.config.telegram.token
    if token is None:
        return []
    find = partial(posts_bot.replacement, token_id=token.partition(":")[0], now=now)
    names: tuple[str, str] | None = await _read(runtime, find, None)
    return [] if names is None else [other_bot_words(*names)]


HEALTH = Route(
    "GET",
    "/health",
    show_health,
    HealthDocument,
    "Show the status, the queue and warnings.",
    Action.LOOK,
    statuses=(200, 503),
)
