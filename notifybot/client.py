"""notifybot for Python programs: `from notifybot.client import send`. Standard library only.

    accepted = send("disk full on db1", to="-1001234567890", alert=True)

Calls block, and raise a ClientError where they cannot be done. Several threads take a Client each.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from socket import socket

from notifybot.client_errors import (
    ClientError,
    NoAnswer,
    NotPermitted,
    NotReady,
    Refused,
    Repeat,
    UnknownShape,
    Unreachable,
    from_connect,
    from_reply,
)
from notifybot.results import (
    Accepted,
    Health,
    Message,
    MessagePage,
    Subscriber,
    read_accepted,
    read_health,
    read_message,
    read_page,
    read_subscriber,
    read_subscribers,
)
from notifybot.unix_http import AnswerLost, NotHttp, Request, connect, exchange

__all__ = [
    "Accepted",
    "Client",
    "ClientError",
    "Health",
    "Message",
    "MessagePage",
    "NoAnswer",
    "NotPermitted",
    "NotReady",
    "Refused",
    "Subscriber",
    "UnknownShape",
    "Unreachable",
    "default_socket_paths",
    "send",
]

SERVICE_RUNTIME = "/run/notifybot"
TIMEOUT_S = 10.0
PATIENCE_S = 10.0
"""How long a call is tried again: about what a restart of the daemon takes."""
PAUSE_S = 0.2
PAGE = 500
MAX_PAGES = 20

IDS_HINT = "`notifybot messages list` shows the ids."
ID_LENGTH = 36
ID_LETTERS = frozenset("0123456789abcdef-")

Span = timedelta | int | str
"""A timedelta, seconds, or text such as `15m`; 0 and `never` switch the deadline off."""


def send(
    text: str,
    *,
    to: str,
    title: str | None = None,
    source: str | None = None,
    alert: bool = False,
    escalate_after: Span | None = None,
    close_after: Span | None = None,
    client_id: str | None = None,
    wait_s: float | None = None,
    socket_path: str | os.PathLike[str] | None = None,
) -> Accepted:
    """Send one message through the daemon found at `socket_path` or the usual places. See Client.send."""
    return Client(socket_path).send(
        text,
        to=to,
        title=title,
        source=source,
        alert=alert,
        escalate_after=escalate_after,
        close_after=close_after,
        client_id=client_id,
        wait_s=wait_s,
    )


def default_socket_paths(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where a daemon listens by default: as a service, else in the user's runtime folder, else in the state folder.

    Cron and services have no XDG_RUNTIME_DIR, so that its usual place is looked at as well.
    """
    folders = [SERVICE_RUNTIME, f"{environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.getuid()}'}/notifybot"]
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME")
    if state.startswith("/"):
        folders.append(f"{state}/notifybot")
    elif home:
        folders.append(f"{home}/.local/state/notifybot")
    return tuple(f"{folder}/notifybot.sock" for folder in folders)


class Client:
    """Calls to one daemon.

    The socket is `socket_path`, else $NOTIFYBOT_SOCKET, else the first of the default places that answers.
    `timeout_s` bounds each attempt, `patience_s` how long after its first failure a call is begun again.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        named = socket_path or os.environ.get("NOTIFYBOT_SOCKET")
        self._paths = (os.fspath(named),) if named else default_socket_paths(os.environ)
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    def send(
        self,
        text: str,
        *,
        to: str,
        title: str | None = None,
        source: str | None = None,
        alert: bool = False,
        escalate_after: Span | None = None,
        close_after: Span | None = None,
        client_id: str | None = None,
        wait_s: float | None = None,
    ) -> Accepted:
        """Hand over one message; once this returns, it is on the daemon's disk.

        `to`: a chat id (`-1001234567890`), `@channel`, or a person's account or user_id. An `alert` asks for an
        acknowledgement. `wait_s` (at most 30) waits until it was shown or failed. A cut connection is tried again
        under the same client_id, made anew for each call unless given, so that the message is never accepted twice.
        """
        key = client_id or os.urandom(16).hex()
        fields: dict[str, object] = {
            "type": "text",
            "content": text,
            **_addressed(to),
            "title": title,
            "source": source,
            "acknowledge": alert,
            "escalate_after": _span(escalate_after),
            "close_after": _span(close_after),
            "client_id": key,
        }
        request = _request("POST", "/api/ingest" + ("" if wait_s is None else f"?wait={wait_s:g}"), _given(fields))
        try:
            return read_accepted(self._call(request, extra_s=wait_s or 0, is_patient=True))
        except NoAnswer as error:
            raise error.about(key) from error

    def message(self, message_id: str) -> Message:
        return read_message(self._call(_request("GET", _path_of(message_id))))

    def messages(
        self, *, status: str | None = None, source: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> MessagePage:
        """One page of messages, newest first; `limit` from 1 to 500."""
        query = _query({"status": status, "source": source, "limit": str(limit), "cursor": cursor})
        return read_page(self._call(_request("GET", f"/api/messages?{query}")))

    def open_alerts(self, *, limit: int = PAGE) -> tuple[Message, ...]:
        """Alerts that wait for an answer or to be closed, newest first."""
        query = _query({"open": "true", "limit": str(limit)})
        return read_page(self._call(_request("GET", f"/api/messages?{query}"))).messages

    def find(self, prefix: str) -> str:
        """The full id of the one message whose id begins with `prefix`, among the newest 10,000.

        Raise Refused where there is none, or more than one.
        """
        wanted = prefix.lower()
        if not wanted or not set(wanted) <= ID_LETTERS:
            raise _no_id(prefix)
        if len(wanted) == ID_LENGTH:
            return wanted
        found = []
        for message in self._walk():
            if message.id.startswith(wanted):
                found.append(message.id)
            elif message.id[: len(wanted)] < wanted:  # ids are ordered by time: older ones cannot match
                break
        return _only(found, prefix)

    def acknowledge(self, message_id: str) -> Message:
        """Answer an alert; the second time it returns the first answer. Refused (409) for a notice."""
        return self._change(message_id, "acknowledge")

    def close(self, message_id: str) -> Message:
        return self._change(message_id, "close")

    def cancel(self, message_id: str) -> Message:
        """Cancel a message that was not shown yet; Refused (409) once it was."""
        return self._change(message_id, "cancel")

    def subscribe_user(self, chat_id: str, chat_name: str) -> Subscriber:
        """Subscribe a chat by hand. Refused (400) if it is subscribed already, so a lost answer is not tried again."""
        request = _request("POST", "/subscribe-user", {"chat_id": chat_id, "chat_name": chat_name})
        return read_subscriber(self._attempt(request, answer_within_s=self._timeout_s))

    def subscribed_users(self) -> tuple[Subscriber, ...]:
        return read_subscribers(self._call(_request("GET", "/subscribed-users")))

    def health(self) -> Health:
        """How the daemon is, also where it answers 503 because it can accept nothing."""
        try:
            document = self._attempt(_request("GET", "/health"), answer_within_s=self._timeout_s)
        except NotReady as error:
            document = _json(error.body)
            if not isinstance(document, Mapping) or "telegram" not in document:
                raise
        return read_health(document)

    def _change(self, message_id: str, verb: str) -> Message:
        return read_message(self._call(_request("POST", f"{_path_of(message_id)}/{verb}")))

    def _walk(self) -> Iterator[Message]:
        """Messages, newest first, page by page, up to MAX_PAGES."""
        cursor = None
        for _ in range(MAX_PAGES):
            page = self.messages(limit=PAGE, cursor=cursor)
            yield from page.messages
            cursor = page.next_cursor
            if cursor is None:
                return

    def _call(self, request: Request, *, extra_s: float = 0, is_patient: bool = False) -> object:
        """Attempt a call that may be repeated, until it is answered or patience, from the first failure on, ends.

        `is_patient`: a daemon that refuses connections is waited for, as it may be restarting. Raises the first
        failure that leaves open whether the call was done, where there was one, else the last.
        """
        give_up_at: float | None = None
        doubt: NoAnswer | None = None
        while True:
            try:
                return self._attempt(request, answer_within_s=self._timeout_s + extra_s)
            except (NoAnswer, NotReady, Unreachable) as error:
                doubt = doubt or (error if isinstance(error, NoAnswer) else None)
                pause_s = error.retry_after_s or PAUSE_S
                give_up_at = give_up_at or time.monotonic() + self._patience_s
                is_restart = is_patient and error.repeat is Repeat.IF_PATIENT
                may_repeat = doubt or is_restart or error.repeat is Repeat.ALWAYS
                if not may_repeat or time.monotonic() + pause_s > give_up_at:
                    raise (doubt or error) from error
            time.sleep(pause_s)  # noqa: TID251 - a blocking client has nothing else to do

    def _attempt(self, request: Request, *, answer_within_s: float) -> object:
        """Make one exchange and return the JSON of its answer."""
        connection = self._connect()
        try:
            reply = exchange(connection, request, timeout_s=answer_within_s)
        except NotHttp as error:
            raise UnknownShape("it is not HTTP") from error
        except AnswerLost as error:
            raise NoAnswer(f"The daemon at {self._paths[0]} was asked, but {error}.") from error
        if reply.status >= 400:
            raise from_reply(reply)
        return _json(reply.body)

    def _connect(self) -> socket:
        """Connect to the first socket that lets us, and stay with it: a repeated call goes to the same daemon."""
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


def _request(method: str, target: str, fields: Mapping[str, object] | None = None) -> Request:
    body = None if fields is None else json.dumps(fields).encode("ascii")
    return Request(method, target, body)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnknownShape("it is not JSON") from error


def _query(fields: Mapping[str, str | None]) -> str:
    from urllib.parse import urlencode  # the other calls do without it

    return urlencode(_given(fields))


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _path_of(message_id: str) -> str:
    """The path of one message. Refused where the id is none, before it gets into a path."""
    wanted = message_id.lower()
    if len(wanted) != ID_LENGTH or not set(wanted) <= ID_LETTERS:
        raise _no_id(message_id)
    return f"/api/messages/{wanted}"


def _no_id(text: str) -> Refused:
    return Refused(f"`{text}` is no message id.", hint=IDS_HINT)


def _only(found: list[str], prefix: str) -> str:
    if not found:
        raise Refused(f"No message begins with `{prefix}`.", hint=IDS_HINT)
    if len(found) > 1:
        raise Refused(f"`{prefix}` stands for {len(found)} messages.", hint=f"Give more of it: {', '.join(found[:3])}.")
    return found[0]


def _addressed(to: str) -> dict[str, object]:
    """The field that takes this recipient: a chat by id or @name, else a person."""
    is_chat = to.startswith("@") or to.removeprefix("-").isdecimal()
    return {"channel_id" if is_chat else "user": to}


def _span(span: Span | None) -> int | str | None:
    """A span as the daemon takes it: whole seconds (a part of one counts as one), or text."""
    if isinstance(span, timedelta):
        return -(-span // timedelta(seconds=1))
    return span
