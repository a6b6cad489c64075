"""Signals that ask other daemons to reload or to reopen their log: here they do nothing, and never kill."""

import asyncio
import logging
import signal

IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
log = logging.getLogger(__name__)


def ignore() -> None:
    """Survive them from now on. Not by SIG_IGN, which children would inherit."""
    for number in IGNORED:
        signal.signal(number, lambda *_: None)


def log_ignored() -> None:
    """Log each of them; needs a running event loop."""
    for number in IGNORED:
        asyncio.get_running_loop().add_signal_handler(number, _note, number)


def _note(number: signal.Signals) -> None:
    facts = {"action": "signal_ignored", "signal": number.name}
    log.warning("a signal was ignored: a restart applies a changed config", extra=facts)
