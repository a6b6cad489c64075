"""`notifybot run`, `demo` and `db …`: the commands that import the daemon."""

import argparse
import gc
import os
from dataclasses import replace
from pathlib import Path

from notifybot.cli import arguments
from notifybot.cli.output import print_line
from notifybot.cli.parser import Commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.config.model import Config


def run(arguments: argparse.Namespace) -> int:
    gc.enable()  # `__main__` turned it off
    match arguments.command:
        case "demo":
            return _demo(arguments)
        case "db upgrade":
            return _upgrade(_config(arguments))
        case "db backup":
            return _back_up(_config(arguments), Path(arguments.file).absolute())
        case "db restore":
            return _restore(_config(arguments), Path(arguments.file).absolute())
    return _daemon(_config(arguments))


def _config(arguments: argparse.Namespace) -> "Config":
    """Load the config file, else the shipped config; --socket overrides its socket. Raises ConfigInvalid."""
    from notifybot.config import find_config, load, load_default

    explicit = Path(arguments.config) if arguments.config else None
    file = find_config(explicit, os.environ, Path.cwd())
    config = load_default(os.environ) if file is None else load(file, os.environ, is_start=True)
    if arguments.socket is None:
        return config
    return replace(config, socket=replace(config.socket, path=Path(arguments.socket).absolute()))


def _daemon(config: "Config") -> int:
    from notifybot.system import signals

    signals.ignore()  # the imports below take a second
    from notifybot.app import run as run_daemon

    return run_daemon(config)


def _demo(arguments: argparse.Namespace) -> int:
    import asyncio

    from notifybot.demo.demo import run_demo

    return asyncio.run(run_demo(port=arguments.port, open_browser=not arguments.no_browser))


def _upgrade(config: "Config") -> int:
    from notifybot.storage.migrations import upgrade

    print_line(upgrade(config.database.url))
    return 0


def _back_up(config: "Config", archive: Path) -> int:
    from notifybot import __version__
    from notifybot.storage.backup import back_up

    made = back_up(archive, url=config.database.url, data_dir=config.data_dir, version=__version__)
    print_line(f"Backed up {len(made.sha256)} files at revision {made.revision}, and verified them.")
    return 0


def _restore(config: "Config", archive: Path) -> int:
    from notifybot.storage.backup import restore

    made = restore(archive, url=config.database.url, data_dir=config.data_dir)
    print_line(f"Restored {len(made.sha256)} files at revision {made.revision}.")
    return 0


def add(commands: Commands) -> None:
    commands.add("run")
    demo = commands.add("demo")
    demo.add_argument(
        "--port",
        type=arguments.port,
        default=None,
        help="port of the page on 127.0.0.1; 0 takes any free port (default: 8642, or any free port if that is taken)",
    )
    demo.add_argument("--no-browser", action="store_true", help="print the page's address without opening a browser")
    database = commands.group("db")
    database.add("upgrade", "upgrade the database to the current schema; `run` does this at startup")
    backup = database.add("backup", "back up the database, attachments and key, also while the daemon runs")
    backup.add_argument("file", metavar="FILE", help="archive to write; it must not exist")
    restore = database.add("restore", "restore a backup; the daemon must be stopped, and its database moved away")
    restore.add_argument("file", metavar="FILE", help="archive that `db backup` wrote")
