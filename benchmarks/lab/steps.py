"""The steps at which a daemon is killed, by name."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CRASH_AT = "CRASH_AT"
"""The variable that tells the launcher where to end: `step:n`, at the n-th time that the step is reached."""


class Step(StrEnum):
    """The way of a message, and where on it the process ends."""

    ACCEPT = "accept"
    """The rows are written, the transaction is open."""
    STORING = "storing"
    """A file is half in the store."""
    STORED = "stored"
    """A file is in the store, its message is nowhere."""
    COMMIT = "commit"
    """The transaction is committed, the caller has no answer yet."""
    CLAIM = "claim"
    """The claim on a call is committed, the call not made."""
    BEFORE_TELEGRAM = "before-telegram"
    """The call is on its way, Telegram has not accepted it."""
    AFTER_TELEGRAM = "after-telegram"
    """Telegram accepted a send, nothing is recorded."""
    UPLOADING = "uploading"
    """Files are on their way, Telegram has not accepted them."""
    UPLOADED = "uploaded"
    """Telegram accepted files, nothing is recorded."""
    HALF_SHOWN = "half-shown"
    """One part of a post is shown and recorded, others are not."""
    RECORD = "record"
    """The outcome is written, the transaction is open."""
    PRESS_STORED = "press-stored"
    """A press is on disk, nothing has come of it, and Telegram is not told."""
    PRESS_HANDLED = "press-handled"
    """A press has counted, its person has no answer, and Telegram is not told."""
    EDIT = "edit"
    """Telegram accepted an edit, nothing is recorded."""
    ESCALATE = "escalate"
    """Alerts are escalated, the transaction is open."""
    RELEASE = "release"
    """Messages that waited for their time have their posts, the transaction is open."""
    CLOSE = "close"
    """Alerts are closed by time, the transaction is open."""
    RANDOM = "random"


NAMED = tuple(step for step in Step if step is not Step.RANDOM)
# How often a step is passed at most before the kill: the rare ones at once.
MOST_PASSED = {
    Step.STORING: 4,
    Step.STORED: 4,
    Step.UPLOADING: 1,
    Step.UPLOADED: 3,
    Step.HALF_SHOWN: 2,
    Step.PRESS_STORED: 4,
    Step.PRESS_HANDLED: 4,
    Step.EDIT: 4,
    Step.ESCALATE: 1,
    Step.RELEASE: 2,
    Step.CLOSE: 1,
}
OFTEN_PASSED = 8
LONGEST_LIFE_S = 1.2


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: at the `nth` time that `step` is reached, or, at random, `after_s` seconds.

    `during_start`: those seconds count from the first moment of the process, else from when it is ready.
    """

    step: Step
    nth: int = 1
    after_s: float = 0.0
    during_start: bool = False

    @property
    def ends_itself(self) -> bool:
        """Whether the launcher does it; the others are done from outside."""
        return self.step not in (Step.RANDOM, Step.BEFORE_TELEGRAM, Step.UPLOADING)


def named_kill(step: Step, rng: random.Random) -> Kill:
    return Kill(step, nth=rng.randint(1, MOST_PASSED.get(step, OFTEN_PASSED)))


def random_kill(rng: random.Random) -> Kill:
    """Mostly under load; one in four while the daemon is still starting."""
    return Kill(Step.RANDOM, after_s=rng.uniform(0, LONGEST_LIFE_S), during_start=rng.random() < 0.25)


def plan(kills: int, rng: random.Random) -> Sequence[Kill]:
    """Every step about equally often, in random order."""
    steps = [list(Step)[number % len(Step)] for number in range(kills)]
    rng.shuffle(steps)
    return [random_kill(rng) if step is Step.RANDOM else named_kill(step, rng) for step in steps]
