"""Fixtures for tests of logs and files under the daemon."""

from tests.support.door_fixtures import folder

__all__ = ["folder"]
