"""The isolated environment and stand-in daemon of the command line's tests."""

from tests.cli.conftest import daemon, isolated

__all__ = ["daemon", "isolated"]
