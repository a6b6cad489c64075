"""API tokens as the daemon tells of them. Standard library only."""

from dataclasses import dataclass
from datetime import datetime

from notifybot.client.json_fields import JsonFields, JsonObject


@dataclass(frozen=True)
class Token:
    """What callers on TCP prove who they are with. `secret` is there only in the answer to its making.

    `scopes`: of send, read, admin; `recipients` None: to whom the daemon's `socket.allow` says.
    """

    name: str
    account: str
    scopes: tuple[str, ...]
    recipients: tuple[str, ...] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    secret: str | None
    document: JsonObject

    def status(self, at: datetime) -> str:
        """`valid`, `expired` or `revoked`, at the time `at`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "valid"


def read_token(document: object) -> Token:
    """Raise UnknownShape where `document` is none."""
    fields = JsonFields(document)
    return Token(
        name=fields.text("name"),
        account=fields.text("account"),
        scopes=fields.texts("scopes"),
        recipients=None if fields.document.get("to") is None else fields.texts("to"),
        created_at=fields.moment("created_at"),
        created_by=fields.text("created_by"),
        expires_at=fields.moment_or_none("expires_at"),
        last_used_at=fields.moment_or_none("last_used_at"),
        revoked_at=fields.moment_or_none("revoked_at"),
        secret=fields.text_or_none("token"),
        document=fields.document,
    )


def read_tokens(document: object) -> tuple[Token, ...]:
    return tuple(read_token(each.document) for each in JsonFields(document).each("tokens"))
