"""The isolated environment and stand-in daemon of the command line's tests, and a folder for a real daemon."""

from tests.cli.conftest import daemon, isolated
from tests.support.door_fixtures import folder

__all__ = ["daemon", "folder", "isolated"]
