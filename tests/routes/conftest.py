"""Fixtures: the tests of this folder use a daemon in their own process."""

from tests.support.door_fixtures import folder, quiet_log, refusing, shared

__all__ = ["folder", "quiet_log", "refusing", "shared"]
