"""Clock for the client that only moves when it sleeps, or by hand."""

import pytest


class HandTime:
    """Stands in for the module `time` in the client's modules."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def in_hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """Skip the client's pauses between attempts."""
    made = HandTime()
    monkeypatch.setattr("notifybot.client.transport.time", made)
    return made
