"""Which daemon the client commands speak to: --socket, --url and --token-file."""

import argparse

from notifybot.cli.parser import UsageError
from notifybot.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client.spool import Spool


def connect(arguments: argparse.Namespace, *, spool: "Spool | None" = None) -> Client:
    """Make the client for a parsed command line; what it leaves open comes from the environment."""
    if arguments.socket and (arguments.url or arguments.token_file):
        raise UsageError("--socket goes without --url and --token-file.", hint="Name one daemon.")
    return Client(arguments.socket, url=arguments.url, token=_token(arguments.token_file), spool=spool)


def _token(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - importing pathlib takes 4 ms
            token = file.read().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"Cannot read the token file {path}: {reason}.", hint="Check --token-file.") from error
    if not token:
        raise UsageError(f"The token file {path} is empty.", hint="`notifybot token create` prints a token.")
    return token
