"""People, looked after by admins from Python: `Client().people()`. Standard library only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from notifybot.client.json_fields import JsonFields, JsonObject
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body

MOST_AT_ONCE = 1000
"""So many people are handed over in one request."""


@dataclass(frozen=True)
class PersonInfo:
    """Somebody who can be sent to, with all that is known of them; `unreachable` says why nothing can be shown."""

    user_id: str
    account: str | None
    chat_id: str
    chat_name: str
    created_at: datetime
    linked_at: datetime | None
    linked_by: str | None
    is_enabled: bool
    muted_until: datetime | None
    time_zone: str | None
    summary_time: str | None
    quiet_hours: str | None
    unreachable: str | None
    document: JsonObject


@dataclass(frozen=True)
class ImportResult:
    """What became of one person or code. `fate`: added, linked, unchanged, refused, and then the `reason`."""

    what: str
    fate: str
    reason: str | None
    document: JsonObject


class People:
    """Calls about people. Whoever is no admin sees themselves, and changes nobody."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everybody(self) -> tuple[PersonInfo, ...]:
        fields = JsonFields(self._calls.call(HttpRequest("GET", "/api/people")))
        return tuple(_person(each) for each in fields.each("people"))

    def find(self, name: str) -> PersonInfo:
        """The person of this account, user_id or chat id. Refused (404) where there is none."""
        return _person(JsonFields(self._calls.call(HttpRequest("GET", _path(name)))))

    def rename(self, name: str, chat_name: str) -> PersonInfo:
        """Give somebody the name by which they are listed."""
        body = json_body(json.dumps({"chat_name": chat_name}).encode("ascii"))
        return _person(JsonFields(self._calls.call(HttpRequest("PATCH", _path(name), body))))

    def remove(self, name: str) -> PersonInfo:
        """Forget somebody, who is told; a lost answer is not tried again."""
        return _person(JsonFields(self._calls.attempt(HttpRequest("DELETE", _path(name)))))

    def take_over(
        self,
        people: Sequence[Mapping[str, object]],
        codes: Sequence[Mapping[str, object]] = (),
        *,
        is_rehearsal: bool = False,
    ) -> tuple[ImportResult, ...]:
        """Take over people and codes of another program, in the shape of POST /api/admin/import. Doing it again changes
        nothing. In a rehearsal nothing stays, so that each thousand is looked at by itself."""
        found: list[ImportResult] = []
        for start in range(0, max(len(people), len(codes), 1), MOST_AT_ONCE):
            pieces = {"people": people, "codes": codes}
            asked: dict[str, object] = {name: list(all_[start : start + MOST_AT_ONCE]) for name, all_ in pieces.items()}
            body = json_body(json.dumps({**asked, "dry_run": is_rehearsal}).encode("ascii"))
            fields = JsonFields(self._calls.call(HttpRequest("POST", "/api/admin/import", body)))
            found += [_imported(each) for each in fields.each("entries")]
        return tuple(found)


def _path(name: str) -> str:
    return f"/api/people/{quote(name, safe='')}"


def _person(fields: JsonFields) -> PersonInfo:
    return PersonInfo(
        user_id=fields.text("user_id"),
        account=fields.text_or_none("account"),
        chat_id=fields.text("chat_id"),
        chat_name=fields.text("chat_name"),
        created_at=fields.moment("created_at"),
        linked_at=fields.moment_or_none("linked_at"),
        linked_by=fields.text_or_none("linked_by"),
        is_enabled=fields.truth("enabled"),
        muted_until=fields.moment_or_none("muted_until"),
        time_zone=fields.text_or_none("time_zone"),
        summary_time=fields.text_or_none("summary_time"),
        quiet_hours=fields.text_or_none("quiet_hours"),
        unreachable=fields.text_or_none("unreachable"),
        document=fields.document,
    )


def _imported(fields: JsonFields) -> ImportResult:
    return ImportResult(fields.text("what"), fields.text("fate"), fields.text_or_none("reason"), fields.document)
