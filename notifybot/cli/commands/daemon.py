"""`notifybot run`, `notifybot demo` and `notifybot db upgrade`: the commands that load the daemon's own rooms."""

import argparse
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
    match arguments.command:
        case "demo":
            return _demo(arguments)
        case "db upgrade":
            return _upgrade(_config(arguments))
    return _daemon(_config(arguments))


def _config(arguments: argparse.Namespace) -> "Config":
    """The config that is found, else the shipped one; raises ConfigInvalid. --socket wins over what the file says."""
    from notifybot.config import find_config, load, load_default

    explicit = Path(arguments.config) if arguments.config else None
    file = find_config(explicit, os.environ, Path.cwd())
    config = load_default(os.environ) if file is None else load(file, os.environ)
    if arguments.socket is None:
        return config
    return replace(config, socket=replace(config.socket, path=Path(arguments.socket).absolute()))


def _daemon(config: "Config") -> int:
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


def add(commands: Commands) -> None:
    commands.add("run", "run the daemon in the foreground")
    demo = commands.add("demo", "try it without Telegram: a daemon, a local stand-in for Telegram, and a chat page")
    demo.add_argument(
        "--port",
        type=arguments.port,
        default=None,
        help="where the chat page listens on 127.0.0.1 (default: any free port)",
    )
    demo.add_argument("--no-browser", action="store_true", help="print the page's address only")
    database = commands.group("db", "look after the database")
    database.add("upgrade", "bring the database's tables up to date; `run` does so by itself")
