"""One call for a claim, and how its failures are retried."""

from dataclasses import dataclass
from datetime import timedelta

from notifybot.delivery.claims import Claim
from notifybot.rendering.parts import Call, Media, Send
from notifybot.rendering.render import TextTurn


@dataclass(frozen=True)
class Attempt:
    """The call made for a claim, or None if nothing differed. It shows the part at `place`, with this `digest`.
    `is_last`: the post then looks as the claimed version says."""

    claim: Claim
    call: Call | None
    place: int
    digest: str
    is_last: bool
    text: TextTurn = TextTurn.NONE

    @property
    def is_send(self) -> bool:
        return isinstance(self.call, Send)

    @property
    def media(self) -> tuple[Media, ...]:
        return self.call.part.media if isinstance(self.call, Send) else ()


@dataclass(frozen=True)
class RetryPolicy:
    """How long failures are retried; `jitter` is uniform in [0, 1)."""

    give_up_after: timedelta
    jitter: float
