"""notifybot for Python programs: `from notifybot.client import send`. Standard library only.

    accepted = send("disk full on db1", to="-1001234567890", alert=True)

Calls block, and raise a ClientError if they fail. Use one Client per thread.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from notifybot.client.body import message_body
from notifybot.client.errors import (
    ClientError,
    NoAnswer,
    NotPermitted,
    NotReady,
    Refused,
    Spooled,
    UnknownShape,
    Unreachable,
)
from notifybot.client.ids import IdKind
from notifybot.client.options import (
    File,
    Span,
    recipient_fields,
    recipients_of,
    request_fields,
    rfc3339,
    whole_seconds,
    without_none,
)
from notifybot.client.posting import Outgoing, Posting
from notifybot.client.reader import read, read_list
from notifybot.client.results import (
    Accepted,
    AttachmentInfo,
    Button,
    Health,
    MessageInfo,
    MessagePage,
    Subscriber,
)
from notifybot.client.tokens import Token
from notifybot.client.transport import Transport, default_socket_paths, parse_json
from notifybot.client.unix_http import HttpRequest, RequestBody, json_body, percent_encoded, query_of

TYPE_CHECKING = False  # importing typing takes 3 ms
if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO, Unpack

    from notifybot.client.account import Account
    from notifybot.client.inbound import InboundRoute
    from notifybot.client.jobs import Jobs
    from notifybot.client.oncall import OnCall
    from notifybot.client.options import SendOptions
    from notifybot.client.people import People
    from notifybot.client.schedules import Schedules
    from notifybot.client.spool import HandedOver, Spool

__all__ = [
    "Accepted",
    "AttachmentInfo",
    "Button",
    "Client",
    "ClientError",
    "File",
    "Health",
    "MessageInfo",
    "MessagePage",
    "NoAnswer",
    "NotPermitted",
    "NotReady",
    "Refused",
    "Spooled",
    "Subscriber",
    "Token",
    "UnknownShape",
    "Unreachable",
    "default_socket_paths",
    "resolve",
    "send",
]

TIMEOUT_S = 10.0
PATIENCE_S = 10.0
"""Calls are retried this long: about as long as the daemon takes to restart."""
NOT_FOUND = 404
PAGE = 500
MAX_PAGES = 20
MESSAGE_IDS = IdKind("message", "/api/messages", hint="`notifybot messages list` lists the ids.")


def send(
    text: str | None = None,
    *,
    to: str | Iterable[str],
    socket_path: str | os.PathLike[str] | None = None,
    **options: "Unpack[SendOptions]",
) -> Accepted:
    """Send one message, with the options of Client.send; `socket_path` is Client's."""
    return Client(socket_path).send(text, to=to, **options)


def resolve(
    dedup_key: str,
    *,
    to: str | Iterable[str],
    text: str | None = None,
    socket_path: str | os.PathLike[str] | None = None,
) -> Accepted | None:
    """Resolve the message with this `dedup_key`. See Client.resolve."""
    return Client(socket_path).resolve(dedup_key, to=to, text=text)


class Client:
    """Calls to one daemon.

    The daemon is at `socket_path` or `url`, else at $NOTIFYBOT_URL, else $NOTIFYBOT_SOCKET, else at the first of the
    default paths that responds. A `url` (http or https) takes a `token`, else $NOTIFYBOT_TOKEN; `ca_file` names the CAs
    to trust instead of the system's. Its proxy is that of the environment.
    `timeout_s` limits each attempt (files get longer), `patience_s` how long a call is retried after its first failure.
    With a `spool`, a message that the daemon cannot take now is kept there and its call raises Spooled; each
    later message is sent after those in the spool.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        spool: "Spool | None" = None,
    ) -> None:
        if socket_path and url:
            raise TypeError("Client() takes a socket_path or a url, not both")
        address = url or (None if socket_path else os.environ.get("NOTIFYBOT_URL"))
        remote = None
        if address:
            from notifybot.client.remote import Remote  # a caller on the socket does not need it

            remote = Remote(address, token or os.environ.get("NOTIFYBOT_TOKEN") or None, ca_file=ca_file)
        named = socket_path or os.environ.get("NOTIFYBOT_SOCKET")
        paths = (os.fspath(named),) if named else default_socket_paths(os.environ)
        self._calls = Transport(paths, timeout_s=timeout_s, patience_s=patience_s, remote=remote)
        daemon = address or (os.path.abspath(named) if named else "")  # noqa: PTH100 - pathlib takes 4 ms
        self._messages = Posting(self._calls, daemon=daemon, spool=spool)

    def send(self, text: str | None = None, *, to: str | Iterable[str], **options: "Unpack[SendOptions]") -> Accepted:
        """Send one message; once this returns, it is on the daemon's disk.

        `to`: a chat id (`-1001234567890`), `@channel`, a person's account or user_id, a name from the daemon's
        config, `subscribers`, or several of these; each chat gets the message once. `photos` are shown as
        pictures, `files` under their names: paths, `File`s, or one URL. `text` is optional with files, or
        with a `template`, which is rendered with `data`; one over 1 MB goes as a file with its beginning.
        `parse_mode`: HTML, MarkdownV2, Markdown, CommonMark, Mono. `priority`: low, normal, high, critical. An
        `alert` asks for an acknowledgement; its `policy`, a name from the config or a mapping, says to whom it
        escalates. `at` (aware) delays the message, `every` (a cron expression in `time_zone`, or `every 15m`)
        repeats it. While a message with the same `dedup_key` is open, that one counts up instead. `wait_s` (at
        most 30) waits until the message is posted or has failed. If the connection drops, the call is retried
        under the same client_id (a new one per call unless given), so the message is never accepted twice.
        """
        fields = {**recipient_fields(to), **request_fields(options)}
        photos, files = options.get("photos", ()), options.get("files", ())
        with message_body(fields, text, photos=photos, files=files) as body:
            about = text or options.get("title") or options.get("template") or ""
            key, wait_s = str(fields["client_id"]), options.get("wait_s")
            return self._messages.post(Outgoing(body=body, client_id=key, about=about, wait_s=wait_s))

    def resolve(
        self, dedup_key: str, *, to: str | Iterable[str], text: str | None = None, client_id: str | None = None
    ) -> Accepted | None:
        """Resolve the message sent `to` these recipients under `dedup_key`: close it, and show `text` in its posts.

        Returns the message, None if nothing is open under this key: a check may resolve each time it finds all well.
        """
        key = client_id or os.urandom(16).hex()
        fields = {
            **recipient_fields(to),
            "action": "resolve",
            "dedup_key": dedup_key,
            "content": text,
            "client_id": key,
        }
        try:
            body, about = json_body(without_none(fields)), f"resolve {dedup_key}"
            return self._messages.post(Outgoing(body=body, client_id=key, about=about, may_be_missing=True))
        except Refused as error:
            if error.code != NOT_FOUND:
                raise
            return None

    def message(self, message_id: str) -> MessageInfo:
        return read(MessageInfo, self._calls.call(HttpRequest("GET", MESSAGE_IDS.path(message_id))))

    def messages(
        self, *, status: str | None = None, source: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> MessagePage:
        """List one page of messages, newest first; `limit` from 1 to 500."""
        query = query_of({"status": status, "source": source, "limit": str(limit), "cursor": cursor})
        return read(MessagePage, self._calls.call(HttpRequest("GET", f"/api/messages{query}")))

    def open_alerts(self, *, limit: int = PAGE) -> tuple[MessageInfo, ...]:
        """List the alerts that are not closed, newest first."""
        query = query_of({"open": "true", "limit": str(limit)})
        return read(MessagePage, self._calls.call(HttpRequest("GET", f"/api/messages{query}"))).messages

    def find(self, prefix: str) -> str:
        """Return the full id of the message with this prefix, among the newest 10,000.

        Raises Refused if there is none, or several.
        """
        return MESSAGE_IDS.find(prefix, self._ids())

    def edit(self, message_id: str, text: str | None = None, *, title: str | None = None) -> MessageInfo:
        """Change the text or title of a message and its posts. An empty title removes the title, None keeps it.

        Refused (409) once it is closed or cancelled.
        """
        fields: dict[str, object] = {} if text is None else {"content": text}
        if title is not None:
            fields["title"] = title or None
        if not fields:
            raise Refused("No text or title is given.", hint="Give a new text, a new title, or both.")
        request = HttpRequest("PATCH", MESSAGE_IDS.path(message_id), json_body(fields))
        return read(MessageInfo, self._calls.call(request))

    def download(self, attachment: AttachmentInfo, target: "IO[bytes]") -> None:
        """Download one of a message's attachments to `target`. Refused if the daemon does not have it.

        Not retried, as part of it may already be written: raises NoAnswer if the connection drops.
        """
        if attachment.href is None:
            raise Refused(f"The daemon does not have {attachment.name}.", hint=attachment.problem or attachment.url)
        if not attachment.href.startswith("/") or not attachment.href.isascii() or not attachment.href.isprintable():
            raise UnknownShape("`href` is not a path")
        try:
            self._calls.fetch(HttpRequest("GET", attachment.href), target.write, size=attachment.size or 0)
        except NoAnswer as error:
            raise NoAnswer(error.detail, hint="Download it again; the daemon still has it.") from error

    def acknowledge(self, message_id: str) -> MessageInfo:
        """Acknowledge an alert; the second time changes nothing. Refused (409) for a notice."""
        return self._change(message_id, "acknowledge")

    def unacknowledge(self, message_id: str) -> MessageInfo:
        """Take the acknowledgement of an alert back. Refused (409) once it is closed."""
        return self._change(message_id, "unacknowledge")

    def snooze(self, message_id: str, *, span: Span | None = None, until: "datetime | None" = None) -> MessageInfo:
        """Snooze an alert for a `span` or `until` a time (aware); its deadlines start over then.

        Refused (409) for a notice, and once it is acknowledged or closed.
        """
        body = json_body(without_none({"for": whole_seconds(span), "until": rfc3339(until)}))
        return self._change(message_id, "snooze", body)

    def close(self, message_id: str) -> MessageInfo:
        return self._change(message_id, "close")

    def cancel(self, message_id: str) -> MessageInfo:
        """Cancel a message that is not posted yet, else Refused (409). A recurring message skips one occurrence."""
        return self._change(message_id, "cancel")

    def retry(self, message_id: str) -> MessageInfo:
        """Retry the failed deliveries of a message. Refused (409) if none has failed."""
        return self._change(message_id, "retry")

    def subscribe_user(self, chat_id: str, chat_name: str) -> Subscriber:
        """Subscribe a chat. Not retried: Refused (400) if it is subscribed already."""
        body = json_body({"chat_id": chat_id, "chat_name": chat_name})
        return read(Subscriber, self._calls.attempt(HttpRequest("POST", "/subscribe-user", body)))

    def subscribed_users(self) -> tuple[Subscriber, ...]:
        return read_list(Subscriber, self._calls.call(HttpRequest("GET", "/subscribed-users")))

    def create_token(
        self,
        name: str,
        *,
        scopes: Sequence[str] = ("send",),
        to: Sequence[str] | None = None,
        account: str | None = None,
        expires: Span | None = None,
    ) -> Token:
        """Create an API token; for admins. Not retried: if the response is lost, so is the secret.

        `scopes`: of send, read, admin. `to`: the only recipients it allows. `account`: the account it acts as, else
        `name`.
        """
        fields = {"name": name, "scopes": list(scopes), "to": None if to is None else list(to), "account": account}
        body = json_body(without_none({**fields, "expires": whole_seconds(expires)}))
        return read(Token, self._calls.attempt(HttpRequest("POST", "/api/admin/tokens", body)))

    def tokens(self) -> tuple[Token, ...]:
        return read_list(Token, self._calls.call(HttpRequest("GET", "/api/admin/tokens")), "tokens")

    def inbound_routes(self) -> "tuple[InboundRoute, ...]":
        """Return the inbound routes with their last refusals; for admins."""
        from notifybot.client.inbound import InboundRoute  # the other calls do not need it

        return read_list(InboundRoute, self._calls.call(HttpRequest("GET", "/api/admin/inbound")), "routes")

    def revoke_token(self, name: str) -> Token:
        """Revoke a token at once. Refused (404) for an unknown name."""
        return read(Token, self._calls.call(HttpRequest("DELETE", f"/api/admin/tokens/{percent_encoded(name)}")))

    def account(self, user: str | None = None) -> "Account":
        """Calls about an account's link to a chat; admins may name another `user`."""
        from notifybot.client.account import Account

        return Account(self._calls, user)

    def people(self) -> "People":
        """Calls about people."""
        from notifybot.client.people import People

        return People(self._calls)

    def event(self, name: str, *, to: str | Iterable[str], **options: "Unpack[SendOptions]") -> Accepted:
        """Report an event, worded by the template `name` and `data`; the daily summary counts it.

        Built in are `post_success`, `post_failure` and `automation_executed`. `options` are those of Client.send,
        except `photos`, `files` and `wait_s`.
        """
        for unusable in options.keys() & {"photos", "files", "wait_s"}:
            raise TypeError(f"event() got an unexpected keyword argument {unusable!r}")
        fields = {"event": name, "to": recipients_of(to), **request_fields(options)}
        body = json_body(without_none(fields))
        key = str(fields["client_id"])
        return self._messages.post(Outgoing(body=body, client_id=key, about=name, path="/api/events"))

    def schedules(self) -> "Schedules":
        """Calls about recurring messages."""
        from notifybot.client.schedules import Schedules

        return Schedules(self._calls)

    def on_call(self) -> "OnCall":
        """Calls about who is on call."""
        from notifybot.client.oncall import OnCall

        return OnCall(self._calls)

    def jobs(self) -> "Jobs":
        """Calls about the daemon's timed jobs; for admins."""
        from notifybot.client.jobs import Jobs

        return Jobs(self._calls)

    def health(self) -> Health:
        """Return the daemon's health, even if it returns 503 because it cannot accept messages."""
        try:
            document = self._calls.attempt(HttpRequest("GET", "/health"))
        except NotReady as error:
            document = parse_json(error.body)
            if not isinstance(document, Mapping) or "telegram" not in document:
                raise
        return read(Health, document)

    def hand_over(self, spool: "Spool", *, retry_refused: bool = False) -> "HandedOver":
        """Send what waits in `spool` for this daemon, in order. `retry_refused`: also what the daemon has refused."""
        return self._messages.hand_over(spool, retry_refused=retry_refused)

    def _change(self, message_id: str, verb: str, body: RequestBody | None = None) -> MessageInfo:
        request = HttpRequest("POST", f"{MESSAGE_IDS.path(message_id)}/{verb}", body)
        return read(MessageInfo, self._calls.call(request))

    def _ids(self) -> Iterator[str]:
        """Ids of messages, newest first, up to MAX_PAGES pages."""
        cursor = None
        for _ in range(MAX_PAGES):
            page = self.messages(limit=PAGE, cursor=cursor)
            yield from (message.id for message in page.messages)
            cursor = page.next_cursor
            if cursor is None:
                return
