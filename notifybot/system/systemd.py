"""Talk to systemd: readiness, watchdog, inherited sockets."""

import os
import re
import socket
from collections.abc import Mapping
from datetime import timedelta
from itertools import zip_longest

FIRST_INHERITED_FD = 3  # SD_LISTEN_FDS_START
SEND_TIMEOUT_S = 1.0
_COUNT = re.compile(r"[0-9]{1,4}")
_MICROSECONDS = re.compile(r"[0-9]{1,18}")


def notify(state: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Send a state ("READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…") to systemd; return False if nobody listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(SEND_TIMEOUT_S)
        try:
            connection.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
        except OSError:
            return False
    return True


def listen_fds(
    environ: Mapping[str, str] = os.environ, pid: int | None = None, *, name: str | None = None
) -> list[socket.socket]:
    """Return the listening sockets from systemd, made non-inheritable.

    With `name`, only those with that FileDescriptorName. Other inherited descriptors stay untouched.
    """
    if environ.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return []
    count = environ.get("LISTEN_FDS", "")
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    fds = range(FIRST_INHERITED_FD, FIRST_INHERITED_FD + (int(count) if _COUNT.fullmatch(count) else 0))
    wanted = [fd for fd, its_name in zip_longest(fds, names) if fd is not None and name in (None, its_name)]
    return [listener for fd in wanted if (listener := _listener(fd)) is not None]


def watchdog_interval(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> timedelta | None:
    """Return the interval for "WATCHDOG=1", half of what systemd asks for; None without a watchdog."""
    watched = environ.get("WATCHDOG_PID", "")
    allowed = environ.get("WATCHDOG_USEC", "")
    if (watched and watched != str(os.getpid() if pid is None else pid)) or not _MICROSECONDS.fullmatch(allowed):
        return None
    return timedelta(microseconds=int(allowed)) / 2 or None


def _listener(fd: int) -> socket.socket | None:
    try:
        os.set_inheritable(fd, False)
        inherited = socket.socket(fileno=fd)
    except OSError:
        return None
    if inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return inherited
    inherited.detach()
    return None
