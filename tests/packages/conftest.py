"""A folder for a real daemon."""

from tests.support.door_fixtures import folder

__all__ = ["folder"]
