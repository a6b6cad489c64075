"""Who is calling: on the unix socket the kernel says so, on TCP the token that comes with the request."""

import asyncio
import grp
import os
import pwd
import socket
import struct
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web

from notifybot.authorisation import Caller, admit
from notifybot.config import Config
from notifybot.routes.remote_callers import RemoteCallers
from notifybot.routes.route import Handler, Route

__all__ = ["CALLERS", "Caller", "Callers", "caller_of", "guarded", "known_caller_of", "peer_uid"]

_CREDENTIALS = struct.Struct("3i")
KEPT_S = 60
"""How long what the user database said is believed; it may lie on another machine."""

_uids: WeakKeyDictionary[asyncio.BaseTransport, int | None] = WeakKeyDictionary()
"""Of open connections: the kernel noted it once for each, and asking for it costs as much as reading a body."""


@dataclass(frozen=True)
class _Known:
    caller: Caller
    until: float


class LocalCallers:
    """Callers of the unix socket, by their uid."""

    def __init__(self, config: Config) -> None:
        self._admin_groups = config.socket.admin_groups
        self._accounts = config.accounts
        self._allowed = allowed_by(config)
        self._known: dict[int | None, _Known] = {}

    def known(self, uid: int | None) -> Caller | None:
        """Who this is, if that was looked up a moment ago: nearly always, and this costs nothing."""
        known = self._known.get(uid)
        return None if known is None or time.monotonic() > known.until else known.caller

    async def caller(self, uid: int) -> Caller:
        caller = await asyncio.to_thread(self._look_up, uid)
        self._known[uid] = _Known(caller, time.monotonic() + KEPT_S)
        return caller

    def _look_up(self, uid: int) -> Caller:
        name, groups = _user(uid)
        is_admin = uid in (0, os.getuid()) or not groups.isdisjoint(self._admin_groups)
        account = self._accounts.get(name, name)
        return Caller(account, is_admin, allowed=None if is_admin else self._allowed)


def allowed_by(config: Config) -> frozenset[str] | None:
    """To whom callers may send who have no token that says so; None: to anybody."""
    allowed = config.socket.allow
    return None if "*" in allowed else frozenset(allowed)


@dataclass(frozen=True)
class Callers:
    """Both kinds."""

    local: LocalCallers
    remote: RemoteCallers

    async def find(self, request: web.Request, uid: int | None) -> Caller | None:
        """The caller of this request; None for one on TCP who shows nothing.

        Raises Unauthenticated, TooManyRequests.
        """
        return await (self.remote.caller(request) if uid is None else self.local.caller(uid))

    @staticmethod
    def of(config: Config) -> "Callers":
        return Callers(LocalCallers(config), RemoteCallers(config, allowed_by(config)))


CALLERS = web.AppKey("callers", Callers)
_CALLER = web.RequestKey("caller", Caller)


def guarded(route: Route) -> Handler:
    """The route's handler, behind the door: it is reached only by those whom the table admits."""
    action, handler = route.action, route.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        callers, uid = request.app[CALLERS], peer_uid(request.transport)
        caller = callers.local.known(uid) or await callers.find(request, uid)
        admit(caller, action)
        if caller is not None:
            request[_CALLER] = caller
        return await handler(request)

    return handle


def caller_of(request: web.Request) -> Caller:
    """The caller of a request that came through the door. A route for strangers asks `known_caller_of`."""
    return request[_CALLER]


def known_caller_of(request: web.Request) -> Caller | None:
    """The same; None for somebody who did not say who they are."""
    return request.get(_CALLER)


def peer_uid(transport: asyncio.BaseTransport | None) -> int | None:
    """The user at the other end, as the kernel noted when they connected; None on anything but a unix socket."""
    if transport is None:
        return None
    if transport not in _uids:
        _uids[transport] = _noted_by_kernel(transport)
    return _uids[transport]


def _noted_by_kernel(transport: asyncio.BaseTransport) -> int | None:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def _user(uid: int) -> tuple[str, frozenset[str]]:
    """A user's name, and the names of their groups."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return f"uid:{uid}", frozenset()
    return entry.pw_name, frozenset(map(_group_name, os.getgrouplist(entry.pw_name, entry.pw_gid)))


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
