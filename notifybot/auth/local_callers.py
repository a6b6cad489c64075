"""Callers on the unix socket: the kernel names their user and groups."""

import asyncio
import grp
import os
import pwd
import socket
import struct
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from notifybot.auth.admins import is_admin_user
from notifybot.auth.permissions import Caller
from notifybot.config.model import Config

_CREDENTIALS = struct.Struct("3i")
KEPT_S = 60
"""How long what the user database said is believed; it may lie on another machine."""

_uids: WeakKeyDictionary[asyncio.BaseTransport, int | None] = WeakKeyDictionary()
"""Of open connections: the kernel noted it once for each, and asking for it costs as much as reading a body."""


@dataclass(frozen=True)
class _KnownUser:
    caller: Caller
    until: float


class LocalCallers:
    """Callers of the unix socket, by their uid."""

    def __init__(self, config: Config) -> None:
        self._admin_groups = config.socket.admin_groups
        self._accounts = config.accounts
        self._allowed = allowed_by(config)
        self._known: dict[int | None, _KnownUser] = {}

    def known(self, uid: int | None) -> Caller | None:
        """Who this is, if that was looked up a moment ago: nearly always, and this costs nothing."""
        known = self._known.get(uid)
        return None if known is None or time.monotonic() > known.until else known.caller

    async def caller(self, uid: int) -> Caller:
        caller = await asyncio.to_thread(self._look_up, uid)
        self._known[uid] = _KnownUser(caller, time.monotonic() + KEPT_S)
        return caller

    def _look_up(self, uid: int) -> Caller:
        name, groups = _user(uid)
        is_admin = is_admin_user(uid, groups, self._admin_groups)
        account = self._accounts.get(name, name)
        return Caller(account, is_admin, allowed=None if is_admin else self._allowed)


def allowed_by(config: Config) -> frozenset[str] | None:
    """To whom callers may send who have no token that says so; None: to anybody."""
    allowed = config.socket.allow
    return None if "*" in allowed else frozenset(allowed)


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
