"""`notifybot config check` and `notifybot config init`."""

import argparse
import os
from pathlib import Path

from notifybot.cli.output import one_line, print_line
from notifybot.cli.parser import Commands, UsageError


def run(arguments: argparse.Namespace) -> int:
    return _init(Path(arguments.path)) if arguments.command == "config init" else _check(arguments)


def _check(arguments: argparse.Namespace) -> int:
    """Load the config that `run` would load; ConfigInvalid goes up with everything that is wrong."""
    from notifybot.config import SHIPPED, find_config, load

    explicit = Path(arguments.config) if arguments.config else None
    file = find_config(explicit, os.environ, Path.cwd())
    config = load(file or SHIPPED, os.environ)
    print_line(f"{one_line(str(file))} is right." if file else "There is no config file: the defaults apply.")
    print_line(f"  database  {one_line(_without_password(config.database.url or ''))}")
    print_line(f"  socket    {one_line(str(config.socket.path))}")
    print_line(f"  telegram  {'a token is set' if config.telegram.token else 'no token is set: messages wait'}")
    if config.templates is not None:
        _check_templates(config.templates)
    return 0


def _check_templates(folder: Path) -> None:
    """Fill in each template with its own sample; TemplatesInvalid goes up with everything that is wrong."""
    from notifybot.templates import Templates  # its library takes as long to load as all else here

    found = Templates.read(folder)
    unsampled = found.check()
    print_line(f"  templates {len(found.by_name)}: {', '.join(sorted(found.by_name))}")
    for name in unsampled:
        print_line(f"            {name} has no sample, so only its syntax was checked")


def _init(path: Path) -> int:
    """Write the shipped config, for its owner alone, as it may come to hold a token. Never writes over a file."""
    from notifybot.config import SHIPPED

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(SHIPPED.read_bytes())
    except FileExistsError as error:
        raise UsageError(f"{path} exists already.", hint="Name another path, or move it away.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", hint="Name another path.") from error
    print_line(f"{path} is written. Look at it, then: notifybot config check --config {path}")
    return 0


def _without_password(url: str) -> str:
    """The database's URL as it may be shown."""
    scheme, is_url, rest = url.partition("://")
    access, is_remote, place = rest.rpartition("@")
    user, has_password, _ = access.partition(":")
    return f"{scheme}{is_url}{user}{':***' if has_password else ''}{is_remote}{place}" if is_remote else url


def add(commands: Commands) -> None:
    config = commands.group("config", "look after the config file")
    config.add("check", "check the config file, and name everything that is wrong with it")
    init = config.add("init", "write a config file to start from")
    init.add_argument("path", nargs="?", default="config.yaml", metavar="PATH", help="default: ./config.yaml")
