"""Who is calling: on the unix socket the kernel says so."""

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

from notifybot.errors import Forbidden
from notifybot.routes.route import runtime_of

_CREDENTIALS = struct.Struct("3i")
KEPT_S = 60
"""How long what the user database said is believed; it may lie on another machine."""


@dataclass(frozen=True)
class Caller:
    """`account` is the local user name, or `uid:1234` where there is none."""

    account: str
    is_admin: bool


@dataclass(frozen=True)
class _User:
    account: str
    groups: frozenset[str]
    known_at: float


_users: dict[int, _User] = {}
_uids: WeakKeyDictionary[asyncio.BaseTransport, int | None] = WeakKeyDictionary()
"""Of open connections: the kernel noted it once for each, and asking for it costs as much as reading a body."""


async def caller_of(request: web.Request) -> Caller:
    """The caller of this request. Raises Forbidden on anything but the unix socket."""
    uid = peer_uid(request.transport)
    if uid is None:
        raise Forbidden("This listener knows no callers.", hint="Use the unix socket.")
    user = await _user(uid)
    admin_groups = runtime_of(request).config.socket.admin_groups
    is_admin = uid in (0, os.getuid()) or not user.groups.isdisjoint(admin_groups)
    return Caller(user.account, is_admin)


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


async def _user(uid: int) -> _User:
    known = _users.get(uid)
    if known is None or time.monotonic() - known.known_at > KEPT_S:
        known = _users[uid] = await asyncio.to_thread(_look_up, uid)
    return known


def _look_up(uid: int) -> _User:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return _User(f"uid:{uid}", frozenset(), time.monotonic())
    groups = frozenset(map(_group_name, os.getgrouplist(entry.pw_name, entry.pw_gid)))
    return _User(entry.pw_name, groups, time.monotonic())


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
