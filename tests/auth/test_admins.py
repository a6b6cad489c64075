"""Admins: local users, tokens, and people in Telegram."""

import os

import pytest

from notifybot.auth.admins import is_admin_person, is_admin_token, is_admin_user
from notifybot.auth.permissions import Scope
from notifybot.recipients.address import person_recipient, recipient_of

OTHER_UID = os.getuid() + 12345


@pytest.mark.parametrize(
    ("uid", "groups", "is_admin"),
    [
        (0, set(), True),
        (os.getuid(), set(), True),
        (OTHER_UID, {"users", "ops"}, True),
        (OTHER_UID, {"users"}, False),
    ],
)
def test_root_the_daemons_user_and_admin_groups_are_admins(uid: int, groups: set[str], is_admin: bool) -> None:
    assert is_admin_user(uid, groups, ("ops", "wheel")) is is_admin


def test_only_the_scope_admin_makes_a_token_an_admins() -> None:
    assert is_admin_token([Scope.ADMIN.value])
    assert not is_admin_token([Scope.SEND.value, Scope.READ.value])


def test_a_person_listed_under_one_of_their_names_is_an_admin() -> None:
    aliases = {person_recipient("alice"), recipient_of("7")}
    assert is_admin_person(aliases, {recipient_of("7"), person_recipient("bob")})
    assert not is_admin_person(aliases, {person_recipient("bob")})
