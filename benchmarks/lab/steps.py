"""The steps at which a daemon is killed, by name."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CRASH_AT = "CRASH_AT"
"""Variable with the launcher's kill, as `step:n`: the n-th time that the step is reached."""


class Step(StrEnum):
    """Point in the life of a message at which the process is killed."""

    ACCEPT = "accept"
    """The rows are written, the transaction is open."""
    STORING = "storing"
    """Half of a file is in the store."""
    STORED = "stored"
    """A file is in the store, its message is not stored."""
    COMMIT = "commit"
    """The transaction is committed, the caller has no response yet."""
    CLAIM = "claim"
    """The claim is committed, the call is not made."""
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
    """A press is on disk, but not handled, and not confirmed to Telegram."""
    PRESS_HANDLED = "press-handled"
    """A press is handled, but has no reply, and is not confirmed to Telegram."""
    EDIT = "edit"
    """Telegram accepted an edit, nothing is recorded."""
    ESCALATE = "escalate"
    """Alerts are escalated, the transaction is open."""
    RELEASE = "release"
    """Scheduled messages have their posts, the transaction is open."""
    CLOSE = "close"
    """Alerts are closed by timeout, the transaction is open."""
    RENDER = "render"
    """A long text is about to be laid out. The lab's own load has none: it is for tests that ask for it."""
    RANDOM = "random"


NAMED = tuple(step for step in Step if step not in (Step.RENDER, Step.RANDOM))
# Maximum number of times a step is passed before the kill; rare steps kill at the first.
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
        """Return True if the launcher does it; other kills come from outside."""
        return self.step not in (Step.RANDOM, Step.BEFORE_TELEGRAM, Step.UPLOADING)


def named_kill(step: Step, rng: random.Random) -> Kill:
    return Kill(step, nth=rng.randint(1, MOST_PASSED.get(step, OFTEN_PASSED)))


def random_kill(rng: random.Random) -> Kill:
    """Return a kill at a random time: mostly under load, one in four while the daemon is still starting."""
    return Kill(Step.RANDOM, after_s=rng.uniform(0, LONGEST_LIFE_S), during_start=rng.random() < 0.25)


def plan(kills: int, rng: random.Random) -> Sequence[Kill]:
    """Return kills with every step about equally often, in random order."""
    known = (*NAMED, Step.RANDOM)
    steps = [known[number % len(known)] for number in range(kills)]
    rng.shuffle(steps)
    return [random_kill(rng) if step is Step.RANDOM else named_kill(step, rng) for step in steps]
