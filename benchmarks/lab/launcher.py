"""Run the real daemon, and kill it with SIGKILL at the step given in CRASH_AT.

The steps are functions of the daemon, wrapped here; the product itself has no hooks for this.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from benchmarks.lab.steps import CRASH_AT, Step
from notifybot import cli
from notifybot.alerts import escalate, expire
from notifybot.delivery import calls, record
from notifybot.delivery.attempt import Attempt
from notifybot.delivery.dispatcher import Dispatcher
from notifybot.files.store import FileStore, Incoming
from notifybot.messages import accept, batcher
from notifybot.posts.outcomes import Outcome, Shown
from notifybot.rendering.parts import Edit
from notifybot.rendering.render import is_long_markup
from notifybot.rendering.views import PostView
from notifybot.schedules import release
from notifybot.telegram_api.sender import TelegramSender
from notifybot.telegram_api.update_queue import DurableQueue


class Fuse:
    """Kills this process at the n-th tick, from any thread."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: object, name: str, fuse: Fuse, *, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Tick before each call of a function for which `when` accepts the arguments."""
    original = getattr(owner, name)

    def wrapped(*args: object, **options: object) -> object:
        if when(*args, **options):
            fuse.tick()
        return original(*args, **options)

    setattr(owner, name, wrapped)


def _after(owner: object, name: str, fuse: Fuse) -> None:
    """Tick after each call, except those that return 0 or False because there was nothing to do."""
    original = getattr(owner, name)

    def wrapped(*args: object, **options: object) -> object:
        result = original(*args, **options)
        if result or result is None:
            fuse.tick()
        return result

    setattr(owner, name, wrapped)


def _after_awaiting(owner: object, name: str, fuse: Fuse, *, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Do the same for a coroutine function; `when` gets its arguments."""
    original: Callable[..., Awaitable[object]] = getattr(owner, name)

    async def wrapped(*args: object, **options: object) -> object:
        result = await original(*args, **options)
        if (result or result is None) and when(*args, **options):
            fuse.tick()
        return result

    setattr(owner, name, wrapped)


def _is_shown_send(_: Dispatcher, attempt: Attempt, outcome: Outcome) -> bool:
    return isinstance(outcome, Shown) and attempt.is_send


def _is_shown_upload(_: Dispatcher, attempt: Attempt, outcome: Outcome) -> bool:
    return isinstance(outcome, Shown) and bool(attempt.media)


def _is_first_of_more(_: Dispatcher, attempt: Attempt, outcome: Outcome) -> bool:
    return isinstance(outcome, Shown) and attempt.is_send and not attempt.is_last


def _is_shown_edit(_: Dispatcher, attempt: Attempt, outcome: Outcome) -> bool:
    return isinstance(outcome, Shown) and isinstance(attempt.call, Edit)


def _is_long(post: PostView, **_: object) -> bool:
    return post.message is not None and is_long_markup(post.message.content, post.message.look.parse_mode)


FUSED: Mapping[Step, Callable[[Fuse], None]] = {
    Step.ACCEPT: lambda fuse: _after(accept, "accept", fuse),
    Step.STORING: lambda fuse: _after(Incoming, "write", fuse),
    Step.STORED: lambda fuse: _after_awaiting(FileStore, "receive", fuse),
    Step.COMMIT: lambda fuse: _before(batcher, "_answer", fuse),
    Step.CLAIM: lambda fuse: _before(Dispatcher, "_show", fuse),
    Step.AFTER_TELEGRAM: lambda fuse: _before(Dispatcher, "_record", fuse, when=_is_shown_send),
    Step.UPLOADED: lambda fuse: _before(Dispatcher, "_record", fuse, when=_is_shown_upload),
    Step.HALF_SHOWN: lambda fuse: _after_awaiting(Dispatcher, "_record", fuse, when=_is_first_of_more),
    Step.RECORD: lambda fuse: _after(record, "record", fuse),
    Step.PRESS_STORED: lambda fuse: _after_awaiting(DurableQueue, "_kept", fuse),
    Step.PRESS_HANDLED: lambda fuse: _before(TelegramSender, "answer_press", fuse),
    Step.EDIT: lambda fuse: _before(Dispatcher, "_record", fuse, when=_is_shown_edit),
    Step.ESCALATE: lambda fuse: _after(escalate, "escalate_due", fuse),
    Step.RELEASE: lambda fuse: _after(release, "release_due", fuse),
    Step.RENDER: lambda fuse: _before(calls, "next_call", fuse, when=_is_long),
    Step.CLOSE: lambda fuse: _after(expire, "expire_due", fuse),
}


def run(argv: list[str]) -> int:
    """Run a command line of the daemon, in a separate process."""
    if crash_at := os.environ.get(CRASH_AT):
        step, _, nth = crash_at.partition(":")
        FUSED[Step(step)](Fuse(int(nth)))
    return cli.main(argv)
