"""notifybot for Python programs: `from notifybot.client import send`. Standard library only.

    accepted = send("disk full on db1", to="-1001234567890", alert=True)

Calls block, and raise a ClientError where they cannot be done. Several threads take a Client each.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from notifybot.client.body import message_body
from notifybot.client.errors import ClientError, NoAnswer, NotPermitted, NotReady, Refused, UnknownShape, Unreachable
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
from notifybot.client.results import (
    Accepted,
    AttachmentInfo,
    Button,
    Health,
    MessageInfo,
    MessagePage,
    Subscriber,
    read_accepted,
    read_health,
    read_message,
    read_page,
    read_subscriber,
    read_subscribers,
)
from notifybot.client.tokens import Token, read_token, read_tokens
from notifybot.client.transport import Transport, default_socket_paths, parse_json
from notifybot.client.unix_http import HttpRequest, RequestBody, json_body

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO, Unpack

    from notifybot.client.account import Account
    from notifybot.client.jobs import Jobs
    from notifybot.client.oncall import OnCall
    from notifybot.client.options import SendOptions
    from notifybot.client.people import People
    from notifybot.client.schedules import Schedules

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
"""How long a call is tried again: about what a restart of the daemon takes."""
NOT_FOUND = 404
PAGE = 500
MAX_PAGES = 20
MESSAGE_IDS = IdKind("message", "/api/messages", hint="`notifybot messages list` shows the ids.")


def send(
    text: str | None = None,
    *,
    to: str | Iterable[str],
    socket_path: str | os.PathLike[str] | None = None,
    **options: "Unpack[SendOptions]",
) -> Accepted:
    """Send one message through the daemon at `socket_path` or in the usual places; `options` are Client.send's."""
    return Client(socket_path).send(text, to=to, **options)


def resolve(
    dedup_key: str,
    *,
    to: str | Iterable[str],
    text: str | None = None,
    socket_path: str | os.PathLike[str] | None = None,
) -> Accepted | None:
    """Say that what was told under `dedup_key` is over. See Client.resolve."""
    return Client(socket_path).resolve(dedup_key, to=to, text=text)


class Client:
    """Calls to one daemon.

    The socket is `socket_path`, else $NOTIFYBOT_SOCKET, else the first of the default places that answers.
    `timeout_s` bounds each attempt (files get longer), `patience_s` how long after its first failure a call is
    begun again.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        named = socket_path or os.environ.get("NOTIFYBOT_SOCKET")
        paths = (os.fspath(named),) if named else default_socket_paths(os.environ)
        self._calls = Transport(paths, timeout_s=timeout_s, patience_s=patience_s)

    def send(self, text: str | None = None, *, to: str | Iterable[str], **options: "Unpack[SendOptions]") -> Accepted:
        """Hand over one message; once this returns, it is on the daemon's disk.

        `to`: a chat id (`-1001234567890`), `@channel`, a person's account or user_id, a name of the daemon's config,
        `subscribers`, or several of these; each chat gets it once. `photos` are shown as pictures, `files` under their
        names: paths, `File`s, or one https URL; beside them, or with a `template` that is rendered with `data`, `text`
        may be missing. `parse_mode`: HTML, MarkdownV2, Markdown, CommonMark. `priority`: low, normal, high, critical.
        An `alert` asks for an acknowledgement; a `policy`, by its name in the config or as a mapping, says to whom it
        escalates. `at` (aware) is for later, `every` (a cron expression in `time_zone`, or `every 15m`) for again and
        again. While a message of the same `dedup_key` is not over, it is repeated instead. `wait_s` (at most 30) waits
        until it was shown or failed. A cut connection is tried again under the same client_id, made anew for each call
        unless given, so that the message is never accepted twice.
        """
        fields = {**recipient_fields(to), **request_fields(options)}
        photos, files = options.get("photos", ()), options.get("files", ())
        with message_body(fields, text, photos=photos, files=files) as body:
            return self._hand_over(body, str(fields["client_id"]), wait_s=options.get("wait_s"))

    def resolve(
        self, dedup_key: str, *, to: str | Iterable[str], text: str | None = None, client_id: str | None = None
    ) -> Accepted | None:
        """Say that what was told `to` somebody under `dedup_key` is over: its alert is closed, its posts show `text`.

        Returns the message that it closed, None where nothing is open under this key: a check may say so each time.
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
            return self._hand_over(_json_body(without_none(fields)), key)
        except Refused as error:
            if error.code != NOT_FOUND:
                raise
            return None

    def message(self, message_id: str) -> MessageInfo:
        return read_message(self._calls.call(HttpRequest("GET", MESSAGE_IDS.path(message_id))))

    def messages(
        self, *, status: str | None = None, source: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> MessagePage:
        """One page of messages, newest first; `limit` from 1 to 500."""
        query = _query({"status": status, "source": source, "limit": str(limit), "cursor": cursor})
        return read_page(self._calls.call(HttpRequest("GET", f"/api/messages?{query}")))

    def open_alerts(self, *, limit: int = PAGE) -> tuple[MessageInfo, ...]:
        """Alerts that wait for an answer or to be closed, newest first."""
        query = _query({"open": "true", "limit": str(limit)})
        return read_page(self._calls.call(HttpRequest("GET", f"/api/messages?{query}"))).messages

    def find(self, prefix: str) -> str:
        """The full id of the one message whose id begins with `prefix`, among the newest 10,000.

        Raise Refused where there is none, or more than one.
        """
        return MESSAGE_IDS.find(prefix, self._ids())

    def edit(self, message_id: str, text: str | None = None, *, title: str | None = None) -> MessageInfo:
        """Change what a message says; its posts follow. An empty title takes the title away, None leaves it.

        Refused (409) once it is closed or cancelled.
        """
        fields: dict[str, object] = {} if text is None else {"content": text}
        if title is not None:
            fields["title"] = title or None
        if not fields:
            raise Refused("Neither a text nor a title is given.", hint="Say what to change.")
        return read_message(self._calls.call(HttpRequest("PATCH", MESSAGE_IDS.path(message_id), _json_body(fields))))

    def download(self, attachment: AttachmentInfo, target: "IO[bytes]") -> None:
        """Write one of a message's attachments to `target`, as it comes. Refused where the daemon does not have it.

        A cut connection is not tried again, as a part may be written by then: raises NoAnswer.
        """
        if attachment.href is None:
            raise Refused(f"The daemon does not have {attachment.name}.", hint=attachment.problem or attachment.url)
        if not attachment.href.startswith("/") or not attachment.href.isascii() or not attachment.href.isprintable():
            raise UnknownShape("`href` is no path")
        try:
            self._calls.fetch(HttpRequest("GET", attachment.href), target.write, size=attachment.size or 0)
        except NoAnswer as error:
            raise NoAnswer(error.detail, hint="Fetch it again; the daemon still has it.") from error

    def acknowledge(self, message_id: str) -> MessageInfo:
        """Answer an alert; the second time it returns the first answer. Refused (409) for a notice."""
        return self._change(message_id, "acknowledge")

    def unacknowledge(self, message_id: str) -> MessageInfo:
        """Take the answer to an alert back; it waits for one again. Refused (409) once it is closed."""
        return self._change(message_id, "unacknowledge")

    def snooze(self, message_id: str, *, span: Span | None = None, until: "datetime | None" = None) -> MessageInfo:
        """Let an alert sleep for a `span` or `until` a moment (aware); its deadlines begin anew then.

        Refused (409) for a notice, and once it is answered or over.
        """
        body = _json_body(without_none({"for": whole_seconds(span), "until": rfc3339(until)}))
        return read_message(self._calls.call(HttpRequest("POST", f"{MESSAGE_IDS.path(message_id)}/snooze", body)))

    def close(self, message_id: str) -> MessageInfo:
        return self._change(message_id, "close")

    def cancel(self, message_id: str) -> MessageInfo:
        """Cancel a message that was not shown yet; Refused (409) once it was. Of what repeats, one time is left out."""
        return self._change(message_id, "cancel")

    def retry(self, message_id: str) -> MessageInfo:
        """Try again to show a message where it was given up. Refused (409) where it was not."""
        return self._change(message_id, "retry")

    def subscribe_user(self, chat_id: str, chat_name: str) -> Subscriber:
        """Subscribe a chat by hand. Refused (400) if it is subscribed already, so a lost answer is not tried again."""
        body = _json_body({"chat_id": chat_id, "chat_name": chat_name})
        return read_subscriber(self._calls.attempt(HttpRequest("POST", "/subscribe-user", body)))

    def subscribed_users(self) -> tuple[Subscriber, ...]:
        return read_subscribers(self._calls.call(HttpRequest("GET", "/subscribed-users")))

    def create_token(
        self,
        name: str,
        *,
        scopes: Sequence[str] = ("send",),
        to: Sequence[str] | None = None,
        account: str | None = None,
        expires: Span | None = None,
    ) -> Token:
        """Make an API token, for admins; a lost answer is not tried again, as its secret is lost with it.

        `scopes`: of send, read, admin. `to`: its only recipients. `account`: as whom it calls, else `name`.
        """
        fields = {"name": name, "scopes": list(scopes), "to": None if to is None else list(to), "account": account}
        body = _json_body(without_none({**fields, "expires": whole_seconds(expires)}))
        return read_token(self._calls.attempt(HttpRequest("POST", "/api/admin/tokens", body)))

    def tokens(self) -> tuple[Token, ...]:
        return read_tokens(self._calls.call(HttpRequest("GET", "/api/admin/tokens")))

    def revoke_token(self, name: str) -> Token:
        """End a token at once. Refused (404) where there is none of this name."""
        from urllib.parse import quote  # the other calls do without it

        return read_token(self._calls.call(HttpRequest("DELETE", f"/api/admin/tokens/{quote(name, safe='')}")))

    def account(self, user: str | None = None) -> "Account":
        """The calls that link an account to a chat; `user` is another's, for admins."""
        from notifybot.client.account import Account

        return Account(self._calls, user)

    def people(self) -> "People":
        """The calls of admins about people."""
        from notifybot.client.people import People

        return People(self._calls)

    def event(self, name: str, *, to: str | Iterable[str], **options: "Unpack[SendOptions]") -> Accepted:
        """Tell of an event in the words of the template of this `name`, rendered with `data`; the summary counts it.

        There are `post_success`, `post_failure`, `automation_executed` and the operator's own. `options` are those of
        Client.send, but for files and for waiting.
        """
        for unusable in options.keys() & {"photos", "files", "wait_s"}:
            raise TypeError(f"event() got an unexpected keyword argument {unusable!r}")
        fields = {"event": name, "to": recipients_of(to), **request_fields(options)}
        return self._hand_over(_json_body(without_none(fields)), str(fields["client_id"]), path="/api/events")

    def schedules(self) -> "Schedules":
        """The calls about what repeats."""
        from notifybot.client.schedules import Schedules

        return Schedules(self._calls)

    def on_call(self) -> "OnCall":
        """The calls about who is on call."""
        from notifybot.client.oncall import OnCall

        return OnCall(self._calls)

    def jobs(self) -> "Jobs":
        """The calls of admins about the daemon's timed jobs."""
        from notifybot.client.jobs import Jobs

        return Jobs(self._calls)

    def health(self) -> Health:
        """How the daemon is, also where it answers 503 because it can accept nothing."""
        try:
            document = self._calls.attempt(HttpRequest("GET", "/health"))
        except NotReady as error:
            document = parse_json(error.body)
            if not isinstance(document, Mapping) or "telegram" not in document:
                raise
        return read_health(document)

    def _hand_over(
        self, body: RequestBody, client_id: str, *, path: str = "/api/ingest", wait_s: float | None = None
    ) -> Accepted:
        request = HttpRequest("POST", path + ("" if wait_s is None else f"?wait={wait_s:g}"), body)
        try:
            return read_accepted(self._calls.call(request, extra_s=wait_s or 0, is_patient=True))
        except NoAnswer as error:
            raise error.about(client_id) from error

    def _change(self, message_id: str, verb: str) -> MessageInfo:
        return read_message(self._calls.call(HttpRequest("POST", f"{MESSAGE_IDS.path(message_id)}/{verb}")))

    def _ids(self) -> Iterator[str]:
        """Ids of messages, newest first, page by page, up to MAX_PAGES."""
        cursor = None
        for _ in range(MAX_PAGES):
            page = self.messages(limit=PAGE, cursor=cursor)
            yield from (message.id for message in page.messages)
            cursor = page.next_cursor
            if cursor is None:
                return


def _json_body(fields: Mapping[str, object]) -> RequestBody:
    return json_body(json.dumps(fields).encode("ascii"))


def _query(fields: Mapping[str, str | None]) -> str:
    from urllib.parse import urlencode  # the other calls do without it

    return urlencode(without_none(fields))
