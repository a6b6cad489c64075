"""Fixtures: the tests of this folder use a daemon in their own process."""

from tests.support.door_fixtures import folder, refusing, shared

__all__ = ["folder", "refusing", "shared"]
