"""API tokens for callers on TCP. Standard library only."""

from datetime import datetime

from notifybot.client.reader import JsonObject
from notifybot.client.record import key, record, whole


@record(kw_only=True)
class Token:
    """An API token. `secret` is set only in the response that creates it.

    `scopes`: of send, read, admin; `recipients`: None allows what the daemon's `socket.allow` does.
    """

    name: str
    account: str
    scopes: tuple[str, ...]
    recipients: tuple[str, ...] | None = key("to")
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    secret: str | None = key("token")
    document: JsonObject = whole()

    def status(self, at: datetime) -> str:
        """`valid`, `expired` or `revoked`, at the time `at`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "valid"
