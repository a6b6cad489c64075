"""What the demo prints: its addresses, and commands to paste into another shell."""

import getpass
import os
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from notifybot.demo.daemon import Folder

AS_ROOT = """
  Warning        This runs as root, so the demo's daemon does too. Better run it as an ordinary user.
"""


def welcome(folder: Folder, *, page: str, port: int, curl: str, has_desktop: bool) -> str:
    tunnel = "" if has_desktop else f"  From afar      {tunnel_to(port, os.environ)}, then open the page there\n"
    commands = "\n".join(f"  {line}" for line in (*exports(folder, Path(sys.executable)), *examples(folder), curl))
    return f"""
notifybot demo: the real daemon with a local Telegram. Nothing leaves this machine.

  The page       {page}
{tunnel}  Daemon's log   {folder.log}

In another shell, paste the first two lines; then these examples and those of the README work there:

{commands}

  Stop           Ctrl-C; all files of the demo are deleted
{AS_ROOT if os.geteuid() == 0 else ""}"""


def exports(folder: Folder, python: Path) -> list[str]:
    """Return the lines that let `notifybot` find this demo."""
    socket_line = f"export NOTIFYBOT_SOCKET={shlex.quote(str(folder.socket))}"
    script = python.parent / "notifybot"
    if not script.exists():
        return [socket_line, f"alias notifybot={shlex.quote(f'{python} -m notifybot')}"]
    return [socket_line, f'export PATH={shlex.quote(str(script.parent))}:"$PATH"']


def examples(folder: Folder) -> list[str]:
    picture = shlex.quote(str(folder.picture))
    return [
        'notifybot send --to anna "Hello from a terminal"',
        f'notifybot send --to ops --alert --photo {picture} "The disk of db-1 is 96 % full"',
        'notifybot send --to oncall --alert --policy night "db-1 does not respond"',
        "notifybot open",
        "notifybot oncall",
    ]


def tunnel_to(port: int, environ: Mapping[str, str]) -> str:
    """Return the ssh command for a browser on another machine; the page answers only on this port."""
    connection = environ.get("SSH_CONNECTION", "").split()
    host = connection[2] if len(connection) == 4 else socket.gethostname()  # client, its port, server, its port
    return f"ssh -L {port}:127.0.0.1:{port} {getpass.getuser()}@{host}"
