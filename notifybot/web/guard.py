"""Identify the caller of a request and check the permission of its route."""

from dataclasses import dataclass

from aiohttp import web

from notifybot.auth.allowance import Allowances, Allowed
from notifybot.auth.local_callers import LocalCallers, bounds, peer_uid
from notifybot.auth.permissions import Caller, check_permission
from notifybot.auth.remote_callers import RemoteCallers
from notifybot.runtime import Runtime
from notifybot.web.hosts import Hosts
from notifybot.web.route import Handler, Route


@dataclass(frozen=True)
class Callers:
    """Callers on the unix socket and on TCP."""

    local: LocalCallers
    remote: RemoteCallers
    hosts: Hosts
    allowances: Allowances

    async def find(self, request: web.Request, uid: int | None) -> Caller | None:
        """Return the caller; None on TCP without credentials. Raise WrongHost, Unauthenticated or
        TooManyRequests."""
        if uid is not None:
            return await self.local.look_up(uid)
        self.hosts.check(request)
        return await self.remote.caller(request)

    @staticmethod
    def of(runtime: Runtime) -> "Callers":
        config = runtime.config
        remote = RemoteCallers(config, runtime.database, runtime.clock, allowed=bounds(config.socket.allow))
        allowances = Allowances({kind: getattr(config.callers, kind) for kind in Allowed})
        return Callers(LocalCallers(config), remote, Hosts.of(config.http), allowances)


CALLERS = web.AppKey("callers", Callers)
_CALLER = web.RequestKey("caller", Caller)


def guarded(route: Route) -> Handler:
    """Wrap the handler of a route in the check of its permission."""
    action, handler, identify = route.action, route.handler, route.identify or identified

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await identify(request)
        check_permission(caller, action)
        if caller is not None:
            request[_CALLER] = caller
        return await handler(request)

    return handle


async def identified(request: web.Request) -> Caller | None:
    """Return the caller: by uid on the unix socket, by credentials on TCP."""
    callers, uid = request.app[CALLERS], peer_uid(request.transport)
    return callers.local.cached(uid) or await callers.find(request, uid)


def caller_of(request: web.Request) -> Caller:
    """Return the caller; use `known_caller_of` on routes that allow anonymous callers."""
    return request[_CALLER]


def known_caller_of(request: web.Request) -> Caller | None:
    """Return the caller; None if anonymous."""
    return request.get(_CALLER)
