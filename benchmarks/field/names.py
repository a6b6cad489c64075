"""Run the daemon with a name for Telegram that can stop resolving: NAME is this machine while a file exists.

KNOWN_WHILE=FILE python -m benchmarks.field.names run --config CONFIG
"""

import os
import socket
import sys
from pathlib import Path

from notifybot import cli

NAME = "telegram.invalid"
KNOWN_WHILE = "KNOWN_WHILE"


def main() -> int:
    known, really = Path(os.environ[KNOWN_WHILE]), socket.getaddrinfo

    def getaddrinfo(host: object, *args: object, **options: object) -> object:
        if host != NAME:
            return really(host, *args, **options)  # type: ignore[arg-type]
        if not known.exists():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return really("127.0.0.1", *args, **options)  # type: ignore[arg-type]

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
