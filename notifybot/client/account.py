"""One account's link to a Telegram chat, for Python programs: `Client().account()`. Standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from notifybot.client.errors import NoAnswer
from notifybot.client.json_fields import JsonFields, JsonObject
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body

TEST_TAKES_S = 20.0
"""So long the daemon waits for Telegram."""


@dataclass(frozen=True)
class DeepLink:
    """Whoever opens `url` in Telegram before `expires_at` links their chat, once. `qr`: lines, where they were asked
    for, to be shown dark on light."""

    url: str
    token: str
    expires_at: datetime
    qr: tuple[str, ...]
    document: JsonObject


@dataclass(frozen=True)
class LinkStatus:
    is_linked: bool
    linked_at: datetime | None
    document: JsonObject


@dataclass(frozen=True)
class AccountStatus:
    """How an account is linked; the rest means something only where it is. `summary_time`: `09:00` in `time_zone`."""

    is_linked: bool
    linked_at: datetime | None
    chat_name: str | None
    is_enabled: bool
    time_zone: str | None
    summary_time: str | None
    is_reachable: bool
    document: JsonObject


class Account:
    """Calls for one account: the caller's own, or the one that an admin names."""

    def __init__(self, calls: Transport, user: str | None) -> None:
        self._calls = calls
        self._user = user

    def link(self, *, with_qr: bool = False) -> DeepLink:
        """Make a deep link, valid for ten minutes, once."""
        query = self._query({"qr": "true"} if with_qr else {})
        fields = JsonFields(self._calls.call(HttpRequest("GET", f"/api/telegram/link-account{query}")))
        return DeepLink(
            url=fields.text("url"),
            token=fields.text("token"),
            expires_at=fields.moment("expires_at"),
            qr=fields.texts("qr"),
            document=fields.document,
        )

    def verify_link(self, token: str) -> LinkStatus:
        """Whether a deep link was used. Refused (404) once it has expired."""
        return _link_status(self._calls.call(self._post("verify-link", token=token)))

    def verify(self, code: str) -> LinkStatus:
        """Link by the code that /start gave out. Refused (400) for a wrong one. As it works once, a lost answer is not
        tried again."""
        try:
            return _link_status(self._calls.attempt(self._post("verify", code=code)))
        except NoAnswer as error:
            raise NoAnswer(error.detail, hint="It may be linked by now: `notifybot status` shows it.") from error

    def unlink(self) -> LinkStatus:
        """Take the account from its chat; where it has none, nothing is done."""
        return _link_status(self._calls.call(self._post("unlink-account")))

    def send_test(self) -> JsonObject:
        """Show a message in the account's chat; returns once it stands there. Refused (400) where it is not linked."""
        return JsonFields(self._calls.attempt(self._post("send-test-message"), extra_s=TEST_TAKES_S)).document

    def status(self) -> AccountStatus:
        fields = JsonFields(self._calls.call(HttpRequest("GET", f"/api/telegram/status{self._query({})}")))
        return AccountStatus(
            is_linked=fields.truth("linked"),
            linked_at=fields.moment_or_none("linked_at"),
            chat_name=fields.text_or_none("chat_name"),
            is_enabled=fields.truth("enabled"),
            time_zone=fields.text_or_none("time_zone"),
            summary_time=fields.text_or_none("summary_time"),
            is_reachable=fields.truth("reachable"),
            document=fields.document,
        )

    def _post(self, verb: str, **fields: str) -> HttpRequest:
        named = fields if self._user is None else {**fields, "user": self._user}
        return HttpRequest("POST", f"/api/telegram/{verb}", json_body(json.dumps(named).encode("ascii")))

    def _query(self, fields: Mapping[str, str]) -> str:
        named = fields if self._user is None else {**fields, "user": self._user}
        if not named:
            return ""
        from urllib.parse import urlencode

        return f"?{urlencode(named)}"


def _link_status(document: object) -> LinkStatus:
    fields = JsonFields(document)
    return LinkStatus(fields.truth("linked"), fields.moment_or_none("linked_at"), fields.document)
