"""Every state of a message, every step between two states, in one table.

The diagram in docs/architecture.md is generated from it: `python -m notifybot.lifecycle`.
"""

from enum import StrEnum


class State(StrEnum):
    SCHEDULED = "scheduled"
    INITIATED = "initiated"
    SENT = "sent"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """Why a message changes its state."""

    RELEASE = "release"
    SHOW = "show"
    FAIL = "fail"
    RETRY = "retry"
    ESCALATE = "escalate"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    CLOSE = "close"
    CANCEL = "cancel"


STEPS: dict[Step, dict[State, State]] = {
    Step.RELEASE: {State.SCHEDULED: State.INITIATED},
    Step.SHOW: {State.INITIATED: State.SENT},
    Step.FAIL: {State.INITIATED: State.FAILED},
    Step.RETRY: {State.FAILED: State.INITIATED},
    Step.ESCALATE: {
        State.INITIATED: State.ESCALATED,
        State.SENT: State.ESCALATED,
        State.FAILED: State.ESCALATED,
        State.ESCALATED: State.ESCALATED,
    },
    Step.ACKNOWLEDGE: {
        State.INITIATED: State.ACKNOWLEDGED,
        State.SENT: State.ACKNOWLEDGED,
        State.ESCALATED: State.ACKNOWLEDGED,
        State.FAILED: State.ACKNOWLEDGED,
    },
    Step.UNACKNOWLEDGE: {State.ACKNOWLEDGED: State.INITIATED},
    Step.CLOSE: {
        State.INITIATED: State.CLOSED,
        State.SENT: State.CLOSED,
        State.ESCALATED: State.CLOSED,
        State.FAILED: State.CLOSED,
        State.ACKNOWLEDGED: State.CLOSED,
    },
    Step.CANCEL: {State.SCHEDULED: State.CANCELLED, State.INITIATED: State.CANCELLED},
}

ALERTS_ONLY = frozenset({Step.ESCALATE, Step.ACKNOWLEDGE, Step.UNACKNOWLEDGE, Step.CLOSE})
FINAL = frozenset({State.CLOSED, State.CANCELLED})


def after(state: State, step: Step, *, is_alert: bool) -> State | None:
    """Say where `step` leads from `state`; None where it is not allowed."""
    if step in ALERTS_ONLY and not is_alert:
        return None
    return STEPS[step].get(state)


def sources(step: Step) -> tuple[State, ...]:
    """The states from which `step` is allowed, for a conditional UPDATE."""
    return tuple(STEPS[step])


def target(step: Step) -> State:
    """The one state that `step` leads to."""
    return next(iter(STEPS[step].values()))


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> scheduled: send_at lies ahead", "    [*] --> initiated: accepted"]
    for step, moves in STEPS.items():
        lines += [f"    {source} --> {to}: {step}" for source, to in moves.items()]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
