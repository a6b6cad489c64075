"""An account's link to a Telegram chat: `Client().account()`. Standard library only."""

from collections.abc import Mapping
from datetime import datetime

from notifybot.client.errors import NoAnswer
from notifybot.client.reader import JsonObject, read, read_object
from notifybot.client.record import key, record, whole
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body, query_of

TEST_TIMEOUT_S = 20.0
"""The daemon waits this long for Telegram."""


@record(kw_only=True)
class DeepLink:
    """A deep link: opening `url` in Telegram before `expires_at` links the chat, once.

    `qr`: lines of a QR code, if requested, to be shown dark on light.
    """

    url: str
    token: str
    expires_at: datetime
    qr: tuple[str, ...]
    document: JsonObject = whole()


@record(kw_only=True)
class LinkStatus:
    is_linked: bool = key("linked", default=False)
    linked_at: datetime | None
    document: JsonObject = whole()


@record(kw_only=True)
class AccountStatus:
    """Link and preferences of an account, if it is linked. `summary_time`: `09:00` in `time_zone`."""

    is_linked: bool = key("linked", default=False)
    linked_at: datetime | None
    chat_name: str | None
    is_enabled: bool = key("enabled", default=False)
    time_zone: str | None
    summary_time: str | None
    is_reachable: bool = key("reachable", default=False)
    document: JsonObject = whole()


class Account:
    """Calls for one account: the caller's own, or the one that an admin names."""

    def __init__(self, calls: Transport, user: str | None) -> None:
        self._calls = calls
        self._user = user

    def link(self, *, with_qr: bool = False) -> DeepLink:
        """Create a deep link, valid for ten minutes, once."""
        query = self._query({"qr": "true"} if with_qr else {})
        return read(DeepLink, self._calls.call(HttpRequest("GET", f"/api/telegram/link-account{query}")))

    def verify_link(self, token: str) -> LinkStatus:
        """Check whether a deep link was used. Refused (404) once it has expired."""
        return read(LinkStatus, self._calls.call(self._post("verify-link", token=token)))

    def verify(self, code: str) -> LinkStatus:
        """Link by the code from /start. Refused (400) for a wrong one. Not retried, as a code works once."""
        try:
            return read(LinkStatus, self._calls.attempt(self._post("verify", code=code)))
        except NoAnswer as error:
            raise NoAnswer(error.detail, hint="It may be linked by now: check with `notifybot status`.") from error

    def unlink(self) -> LinkStatus:
        """Unlink the account from its chat; does nothing if it has none."""
        return read(LinkStatus, self._calls.call(self._post("unlink-account")))

    def send_test(self) -> JsonObject:
        """Send a test message to the account's chat; returns once it is posted. Refused (400) if it is not linked."""
        return read_object(self._calls.attempt(self._post("send-test-message"), extra_s=TEST_TIMEOUT_S))

    def status(self) -> AccountStatus:
        return read(AccountStatus, self._calls.call(HttpRequest("GET", f"/api/telegram/status{self._query({})}")))

    def _post(self, verb: str, **fields: str) -> HttpRequest:
        named = fields if self._user is None else {**fields, "user": self._user}
        return HttpRequest("POST", f"/api/telegram/{verb}", json_body(named))

    def _query(self, fields: Mapping[str, str]) -> str:
        return query_of({**fields, "user": self._user})
