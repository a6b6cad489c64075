"""People, managed by admins: `Client().people()`. Standard library only."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from notifybot.client.reader import JsonObject, read, read_list
from notifybot.client.record import key, record, whole
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, json_body, percent_encoded

MAX_PER_REQUEST = 1000
"""People or codes in one import request."""


@record(kw_only=True)
class PersonInfo:
    """Someone who can be sent to; `unreachable` is the reason if nothing can be delivered."""

    user_id: str
    account: str | None
    chat_id: str
    chat_name: str
    created_at: datetime
    linked_at: datetime | None
    linked_by: str | None
    is_enabled: bool = key("enabled")
    muted_until: datetime | None
    time_zone: str | None
    summary_time: str | None
    quiet_hours: str | None
    unreachable: str | None
    document: JsonObject = whole()


@record(kw_only=True)
class ImportResult:
    """Result for one person or code. `fate`: added, linked, unchanged, or refused for a `reason`."""

    what: str
    fate: str
    reason: str | None
    document: JsonObject = whole()


class People:
    """Calls about people. Callers who are not admins see only themselves, and cannot change anyone."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everybody(self) -> tuple[PersonInfo, ...]:
        return read_list(PersonInfo, self._calls.call(HttpRequest("GET", "/api/people")), "people")

    def find(self, name: str) -> PersonInfo:
        """Return the person with this account, user_id or chat id. Refused (404) if there is none."""
        return read(PersonInfo, self._calls.call(HttpRequest("GET", _path(name))))

    def rename(self, name: str, chat_name: str) -> PersonInfo:
        """Set the name under which a person is listed."""
        body = json_body({"chat_name": chat_name})
        return read(PersonInfo, self._calls.call(HttpRequest("PATCH", _path(name), body)))

    def remove(self, name: str) -> PersonInfo:
        """Remove a person, who is notified. Not retried."""
        return read(PersonInfo, self._calls.attempt(HttpRequest("DELETE", _path(name))))

    def take_over(
        self,
        people: Sequence[Mapping[str, object]],
        codes: Sequence[Mapping[str, object]] = (),
        *,
        is_dry_run: bool = False,
    ) -> tuple[ImportResult, ...]:
        """Import people and codes from another program, in the shape of POST /api/admin/import. Repeating it changes
        nothing. A dry run keeps nothing, so it checks each thousand on its own."""
        results: list[ImportResult] = []
        for start in range(0, max(len(people), len(codes), 1), MAX_PER_REQUEST):
            batch = slice(start, start + MAX_PER_REQUEST)
            wanted = {"people": list(people[batch]), "codes": list(codes[batch]), "dry_run": is_dry_run}
            found = self._calls.call(HttpRequest("POST", "/api/admin/import", json_body(wanted)))
            results += read_list(ImportResult, found, "entries")
        return tuple(results)


def _path(name: str) -> str:
    return f"/api/people/{percent_encoded(name)}"
