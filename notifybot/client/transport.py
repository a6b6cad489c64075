"""Transport to one daemon: which socket, timeouts, and retries. Standard library only."""

import json
import os
import time
from collections.abc import Mapping
from socket import socket

from notifybot.client.errors import NoAnswer, NotReady, RetryAdvice, UnknownShape, Unreachable, from_connect, from_reply
from notifybot.client.unix_http import AnswerLost, HttpRequest, HttpResponse, NotHttp, Sink, connect, exchange

TYPE_CHECKING = False  # importing typing takes 3 ms
if TYPE_CHECKING:
    from notifybot.client.remote import Remote

SERVICE_RUNTIME = "/run/notifybot"
RETRY_PAUSE_S = 0.2
SLOWEST_BYTES_PER_S = 1_000_000
"""Slowest rate allowed for files, for slow disks and a virus scanner."""


def default_socket_paths(environ: Mapping[str, str]) -> tuple[str, ...]:
    """List the default sockets: of a service, in the user's runtime folder, in the user's state folder.

    Cron and services have no XDG_RUNTIME_DIR, so its usual value is tried.
    """
    folders = [SERVICE_RUNTIME, f"{environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.getuid()}'}/notifybot"]
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME")
    if state.startswith("/"):
        folders.append(f"{state}/notifybot")
    elif home:
        folders.append(f"{home}/.local/state/notifybot")
    return tuple(f"{folder}/notifybot.sock" for folder in folders)


def default_spool_folder(environ: Mapping[str, str]) -> str:
    """Return `notifybot/spool` in $XDG_STATE_HOME, else in ~/.local/state. Services may have no HOME."""
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if state.startswith("/"):
        return f"{state}/notifybot/spool"
    if not home.startswith("/"):
        import pwd

        home = pwd.getpwuid(os.geteuid()).pw_dir
    return f"{home}/.local/state/notifybot/spool"


class Transport:
    """Sends requests to the daemon on the first of `paths` that responds, or to `remote`.

    `timeout_s` limits each attempt, `patience_s` how long a request is retried after its first failure.
    """

    def __init__(
        self, paths: tuple[str, ...], *, timeout_s: float, patience_s: float, remote: "Remote | None" = None
    ) -> None:
        self._paths = paths
        self._remote = remote
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    def call(self, request: HttpRequest, *, extra_s: float = 0, survives_restart: bool = False) -> object:
        """Send a request that is safe to repeat, and retry it until it gets a response or `patience_s` is over.

        `survives_restart`: also retry refused connections, as the daemon may be restarting. Raises the first failure
        that leaves open whether the request was done, if there was one, else the last.
        """
        give_up_at: float | None = None
        doubt: NoAnswer | None = None
        while True:
            try:
                return self.attempt(request, extra_s=extra_s)
            except (NoAnswer, NotReady, Unreachable) as error:
                doubt = doubt or (error if isinstance(error, NoAnswer) else None)
                pause_s = error.retry_after_s or RETRY_PAUSE_S
                give_up_at = give_up_at or time.monotonic() + self._patience_s
                is_restart = survives_restart and error.retry is RetryAdvice.IF_RESTARTING
                may_retry = doubt or is_restart or error.retry is RetryAdvice.ALWAYS
                if not may_retry or time.monotonic() + pause_s > give_up_at:
                    raise (doubt or error) from error
            time.sleep(pause_s)  # noqa: TID251 - a blocking client has nothing else to do

    def attempt(self, request: HttpRequest, *, extra_s: float = 0) -> object:
        """Send a request once and return the JSON of the response."""
        return parse_json(self._exchange(request, extra_s=extra_s).body)

    def fetch(self, request: HttpRequest, sink: Sink, *, size: int) -> None:
        """Send a request once, and write the file in its response, about `size` bytes, to `sink` in chunks."""
        self._exchange(request, extra_s=size / SLOWEST_BYTES_PER_S, sink=sink)

    def _exchange(self, request: HttpRequest, *, extra_s: float, sink: Sink | None = None) -> HttpResponse:
        body_s = request.body.length / SLOWEST_BYTES_PER_S if request.body else 0
        timeout_s = self._timeout_s + extra_s + body_s
        try:
            if self._remote is not None:
                reply = self._remote.exchange(request, timeout_s=timeout_s, sink=sink)
            else:
                reply = exchange(self._connect(), request, timeout_s=timeout_s, sink=sink)
        except NotHttp as error:
            raise UnknownShape("it is not HTTP") from error
        except AnswerLost as error:
            place = self._remote.name if self._remote is not None else self._paths[0]
            raise NoAnswer(f"The request was sent to {place}, but {error}.") from error
        if reply.status >= 400:
            raise from_reply(reply)
        return reply

    def _connect(self) -> socket:
        """Connect to the first socket that accepts, and keep to it: a retry must reach the same daemon."""
        failures: dict[str, OSError] = {}
        for path in self._paths:
            try:
                connection = connect(path, timeout_s=self._timeout_s)
            except OSError as error:
                failures[path] = error
            else:
                self._paths = (path,)
                return connection
        raise from_connect(failures)


def parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnknownShape("it is not JSON") from error
