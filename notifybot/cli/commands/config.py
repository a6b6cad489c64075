"""`notifybot config check` and `notifybot config init`."""

import argparse
import os
from pathlib import Path

from notifybot.cli.output import now, one_line, print_line, print_warnings
from notifybot.cli.parser import Commands, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.config.model import Config


def run(arguments: argparse.Namespace) -> int:
    return _init(Path(arguments.path)) if arguments.command == "config init" else _check(arguments)


def _check(arguments: argparse.Namespace) -> int:
    """Load the config that `run` would load. Raises ConfigInvalid with every problem in it."""
    from notifybot.config import SHIPPED, find_config, load
    from notifybot.health.config_notes import configuration_notes

    explicit = Path(arguments.config) if arguments.config else None
    file = find_config(explicit, os.environ, Path.cwd())
    config = load(file or SHIPPED, os.environ)
    print_line(f"{one_line(str(file))} is valid." if file else "There is no config file: the defaults apply.")
    print_line(f"  database  {one_line(_without_password(config.database.url or ''))}")
    print_line(f"  socket    {one_line(str(config.socket.path))}")
    print_line(f"  telegram  {'token set' if config.telegram.token else 'no token: messages wait'}")
    if config.templates is not None:
        _check_templates(config.templates)
    if arguments.against_database:
        _check_against_database(config)
    print_warnings(configuration_notes(config))
    return 0


def _check_against_database(config: "Config") -> None:
    """Compare the names that stored messages use with the config. Raises NamesLost with every one that is lost."""
    import asyncio

    from notifybot.health.stored_names import check_stored_names

    exists = asyncio.run(check_stored_names(config, now=now()))
    print_line(f"  names     {'all in the database lead to someone' if exists else 'there is no database yet'}")


def _check_templates(folder: Path) -> None:
    """Render each template with its sample. Raises TemplatesInvalid with every problem."""
    from notifybot.templates import Templates  # importing Jinja doubles the start-up time

    found = Templates.read(folder)
    unsampled = found.check()
    print_line(f"  templates {len(found.by_name)}: {', '.join(sorted(found.by_name))}")
    for name in unsampled:
        print_line(f"            {name} has no sample: only its syntax was checked")


def _init(path: Path) -> int:
    """Write the shipped config, readable only by its owner, as it may hold a token. Never overwrites a file."""
    from notifybot.config import SHIPPED

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(SHIPPED.read_bytes())
    except FileExistsError as error:
        raise UsageError(f"{path} already exists.", hint="Name another path, or move the file.") from error
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.", hint="Name another path.") from error
    print_line(f"Created {path}. Edit it, then run: notifybot config check --config {path}")
    return 0


def _without_password(url: str) -> str:
    """Mask the password in a database URL."""
    scheme, is_url, rest = url.partition("://")
    access, is_remote, place = rest.rpartition("@")
    user, has_password, _ = access.partition(":")
    return f"{scheme}{is_url}{user}{':***' if has_password else ''}{is_remote}{place}" if is_remote else url


def add(commands: Commands) -> None:
    config = commands.group("config")
    check = config.add("check", "check the config file, and report every problem in it")
    check.add_argument(
        "--against-database",
        action="store_true",
        help="also report stored messages, schedules, overrides and tokens whose recipients lead to nobody",
    )
    init = config.add("init", "create a config file to start from")
    init.add_argument("path", nargs="?", default="config.yaml", metavar="PATH", help="default: ./config.yaml")
