"""Telegram's errors, and the checked parameters of a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.spool import Source, Unfetched


class ApiError(Exception):
    """A Bot API error: HTTP status and `error_code`, description, optional parameters."""

    def __init__(self, code: int, description: str, parameters: JsonObject | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(reason: str, parameters: JsonObject | None = None) -> ApiError:
    """Build Telegram's 400."""
    return ApiError(400, f"Bad Request: {reason}", parameters)


def forbidden(reason: str) -> ApiError:
    """Build Telegram's 403."""
    return ApiError(403, f"Forbidden: {reason}")


def conflict(reason: str) -> ApiError:
    """Build Telegram's 409."""
    return ApiError(409, f"Conflict: {reason}")


def too_many_requests(retry_after: int) -> ApiError:
    """Build Telegram's 429; `retry_after` in whole seconds."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})


def not_in_the_sandbox(what: str) -> ApiError:
    """Build a 501 for features that the sandbox lacks: clearly not an error of Telegram."""
    return ApiError(501, f"Not Implemented: the sandbox does not have {what}")


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of a call, already checked against Telegram's names and types.

    `files` maps references in the parameters (`attach://…`, or a URL) to files.
    """

    values: JsonObject
    files: Mapping[str, Source | Unfetched] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else str(value)

    def integer(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True

    def mapping(self, name: str) -> JsonObject | None:
        value = self.values.get(name)
        return value if isinstance(value, dict) else None

    def items(self, name: str) -> list[object] | None:
        value = self.values.get(name)
        return value if isinstance(value, list) else None

    @property
    def chat_id(self) -> int | str | None:
        """Return the target chat: a number or `@name`."""
        value = self.values.get("chat_id")
        return value if isinstance(value, int | str) else None
