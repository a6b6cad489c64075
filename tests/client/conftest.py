"""The stand-in daemon of the command line's tests, for those of the Python client."""

from tests.cli.conftest import daemon, lonely

__all__ = ["daemon", "lonely"]
