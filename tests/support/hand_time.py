"""Time for the client that passes only when it sleeps, or when a test says so."""

import pytest


class HandTime:
    """Takes the place of the module `time` in a module that the client uses."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def in_hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """Let the client's pauses between two attempts pass at once."""
    made = HandTime()
    monkeypatch.setattr("notifybot.client.transport.time", made)
    return made
