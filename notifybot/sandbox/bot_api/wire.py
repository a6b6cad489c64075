"""What travels over the wire: JSON objects, Telegram's way of refusing, and a call's checked parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.spool import Source, Unfetched


class ApiError(Exception):
    """A refusal as the Bot API words it: HTTP status and `error_code`, a description, optional parameters."""

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
    """Say that Telegram has `what` and the sandbox does not, so that nobody takes it for Telegram's answer."""
    return ApiError(501, f"Not Implemented: the sandbox does not have {what}")


@dataclass(frozen=True, slots=True)
class Params:
    """One call's parameters, already checked against Telegram's own list of names and types.

    `files`: what came with the call, by what refers to it in the parameters: `attach://…`, or an address.
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
        """The target chat: a number, or a name that begins with `@`."""
        value = self.values.get("chat_id")
        return value if isinstance(value, int | str) else None
