"""Faults on demand between bot and Telegram, for chosen methods and chats."""

from dataclasses import dataclass
from enum import StrEnum

from notifybot.sandbox.values import JsonObject, Refused

# Defaults for the error of a fault.
ERROR_CODE = 500
PAGE_CODE = 502
DESCRIPTION = "Internal Server Error"
RETRY_AFTER_S = 5


class FaultKind(StrEnum):
    """`error` responds with error_code and description; `flood` starts a ban of retry_after seconds; `away` cuts
    every connection at once; `cut_before` cuts before a call is accepted, `cut_after` afterwards; `cut_upload` cuts
    while a file arrives, in whichever chat; `html` responds with a page and error_code (502), like a proxy in front of
    the Bot API; `hang` never responds; `result` responds to an accepted call with another result; `slow` waits
    `seconds` first and combines with all others."""

    ERROR = "error"
    FLOOD = "flood"
    AWAY = "away"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    CUT_UPLOAD = "cut_upload"
    HTML = "html"
    HANG = "hang"
    RESULT = "result"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault's effect and scope. No method or chat means all; it hits `times` calls after the first `after` ones.

    `seconds` is the delay of `slow`, and the duration of all other faults.
    """

    kind: FaultKind
    method: str | None = None
    chat_id: int | None = None
    times: int | None = None
    seconds: float | None = None
    after: int = 0
    error_code: int | None = None
    description: str = DESCRIPTION
    retry_after: int = RETRY_AFTER_S
    result: object = None

    @property
    def code(self) -> int | None:
        """HTTP status of the response; None for kinds without one."""
        usual = {FaultKind.ERROR: ERROR_CODE, FaultKind.HTML: PAGE_CODE}.get(self.kind)
        return usual and (self.error_code or usual)


@dataclass(slots=True)
class Fault:
    """An active fault: remaining hits, calls to skip first, and end time."""

    id: int
    spec: FaultSpec
    times_left: int | None
    to_skip: int
    until: float | None
    hits: int = 0

    def concerns(self, method: str, chat_id: int | None, *, is_arriving: bool = False) -> bool:
        """`is_arriving`: the call's body is not read yet."""
        wants_method = self.spec.method is None or self.spec.method.lower() == method.lower()
        wants_chat = self.spec.chat_id is None or self.spec.chat_id == chat_id
        return wants_method and wants_chat and (self.spec.kind is FaultKind.CUT_UPLOAD) == is_arriving

    def strike(self) -> bool:
        """Count a matching call; False if the fault still skips calls."""
        if self.to_skip:
            self.to_skip -= 1
            return False
        self.hits += 1
        if self.times_left is not None:
            self.times_left -= 1
        return True

    def as_json(self) -> JsonObject:
        spec = self.spec
        return {
            "id": self.id,
            "kind": spec.kind.value,
            "method": spec.method,
            "chat_id": spec.chat_id,
            "times": self.times_left,
            "seconds": spec.seconds,
            "after": self.to_skip,
            "error_code": spec.code,
            "description": spec.description if spec.kind is FaultKind.ERROR else None,
            "retry_after": spec.retry_after if spec.kind is FaultKind.FLOOD else None,
            "result": spec.result if spec.kind is FaultKind.RESULT else None,
            "until": self.until,
            "hits": self.hits,
        }


class Faults:
    """Active faults, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._last_id = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, spec: FaultSpec, now: float) -> Fault:
        """Set a fault. A flood hits once by default, because its ban lasts by itself. Raise Refused for a scope that
        its kind cannot have."""
        if spec.kind is FaultKind.CUT_UPLOAD and spec.chat_id is not None:
            raise Refused("an upload is cut before its chat is known; name no chat")
        self._last_id += 1
        times = 1 if spec.kind is FaultKind.FLOOD and spec.times is None else spec.times
        lasts = spec.seconds if spec.kind is not FaultKind.SLOW else None
        until = None if lasts is None else now + lasts
        fault = Fault(self._last_id, spec, times, spec.after, until)
        self._faults.append(fault)
        return fault

    def remove(self, fault_id: int) -> None:
        """Remove a fault; raise Refused if the id is unknown."""
        kept = [fault for fault in self._faults if fault.id != fault_id]
        if len(kept) == len(self._faults):
            raise Refused(f"there is no fault {fault_id}")
        self._faults = kept

    def clear(self) -> None:
        self._faults = []

    def active(self, now: float) -> list[Fault]:
        """List the faults that can still hit."""
        self._faults = [
            fault for fault in self._faults if fault.times_left != 0 and (fault.until is None or now < fault.until)
        ]
        return self._faults

    def strike(self, method: str, chat_id: int | None, now: float, *, is_arriving: bool = False) -> list[FaultSpec]:
        """Return the faults that hit this call, and count it against them."""
        if not self._faults:
            return []
        concerned = [fault for fault in self.active(now) if fault.concerns(method, chat_id, is_arriving=is_arriving)]
        return [fault.spec for fault in concerned if fault.strike()]

    def is_away(self, method: str, now: float) -> bool:
        """Return True if connections for this method are cut now, without counting a hit."""
        return any(
            fault.spec.kind is FaultKind.AWAY and fault.concerns(method, None) and not fault.to_skip
            for fault in self.active(now)
        )
