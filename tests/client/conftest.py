"""The same lonely environment and stand-in daemon as the tests of the command line."""

from tests.cli.conftest import daemon, lonely

__all__ = ["daemon", "lonely"]
