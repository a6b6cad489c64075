"""Who is an admin: local users, bearers of tokens, and people in Telegram. A JWT never makes one."""

import os
from collections.abc import Collection, Hashable, Set
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)

ADMIN_SCOPE = "admin"
ADMINS = "root, the daemon's user, members of socket.admin_groups, and tokens with the scope admin"
"""Callers that are admins, for hints."""


def is_admin_user(uid: int, groups: Set[str], admin_groups: Collection[str]) -> bool:
    """Return True if a user on the socket is root, the daemon's own user, or in one of `socket.admin_groups`."""
    return uid in (0, os.getuid()) or not groups.isdisjoint(admin_groups)


def is_admin_token(scopes: Collection[str]) -> bool:
    return ADMIN_SCOPE in scopes


def is_admin_person(names: Set[Name], admins: Collection[Name]) -> bool:
    """Return True if the config's `admins` list this person in Telegram, who may then change rotations."""
    return not names.isdisjoint(admins)
