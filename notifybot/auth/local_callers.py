"""Callers on the unix socket: the kernel names their user and groups."""

import asyncio
import grp
import os
import pwd
import socket
import struct
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

from notifybot.auth.admins import is_admin_user
from notifybot.auth.permissions import Caller
from notifybot.config.model import Config
from notifybot.config.types import ANYONE

_CREDENTIALS = struct.Struct("3i")
CACHED_S = 60
"""Lifetime of user names and groups; the user database may be on another machine."""
LOOK_UPS = 4
"""At a time, on threads that do nothing else."""

_uids: WeakKeyDictionary[asyncio.BaseTransport, int | None] = WeakKeyDictionary()
"""Cached for each open connection: asking the kernel costs as much as reading a body."""


@dataclass(frozen=True)
class _CachedUser:
    caller: Caller
    until: float


class LocalCallers:
    """Callers of the unix socket, by their uid."""

    def __init__(self, config: Config) -> None:
        self._admin_groups = config.socket.admin_groups
        self._accounts = config.accounts
        self._allowed = bounds(config.socket.allow)
        self._cache: dict[int | None, _CachedUser] = {}
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="callers")
        self._coming: dict[int, asyncio.Future[Caller]] = {}

    def cached(self, uid: int | None) -> Caller | None:
        """Return the caller if cached."""
        found = self._cache.get(uid)
        return None if found is None or time.monotonic() > found.until else found.caller

    async def look_up(self, uid: int) -> Caller:
        """Return the caller. A user's requests share one look-up."""
        coming = self._coming.get(uid)
        if coming is None:
            coming = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, uid)
            self._coming[uid] = coming
            coming.add_done_callback(partial(self._keep, uid))
        return await asyncio.shield(coming)

    def _keep(self, uid: int, found: asyncio.Future[Caller]) -> None:
        del self._coming[uid]
        if not found.cancelled() and found.exception() is None:
            self._cache[uid] = _CachedUser(found.result(), time.monotonic() + CACHED_S)

    def _look_up(self, uid: int) -> Caller:
        name, groups = _user(uid)
        is_admin = is_admin_user(uid, groups, self._admin_groups)
        account = self._accounts.get(name, name)
        return Caller(account, is_admin, allowed=None if is_admin else self._allowed)


def bounds(allow: Collection[str]) -> frozenset[str] | None:
    """Return the recipients that a list in the config allows; None: any."""
    return None if ANYONE in allow else frozenset(allow)


def peer_uid(transport: asyncio.BaseTransport | None) -> int | None:
    """Return the uid of the process that connected; None unless this is a unix socket."""
    if transport is None:
        return None
    if transport not in _uids:
        _uids[transport] = _uid_from_kernel(transport)
    return _uids[transport]


def _uid_from_kernel(transport: asyncio.BaseTransport) -> int | None:
    connection = transport.get_extra_info("socket")
    return None if connection is None else uid_behind(connection)


def uid_behind(connection: socket.socket) -> int | None:
    """Ask the kernel for the uid of the process that connected; None unless this is a unix socket."""
    if connection.family != socket.AF_UNIX:
        return None
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def _user(uid: int) -> tuple[str, frozenset[str]]:
    """Return the name and groups of a user."""
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
