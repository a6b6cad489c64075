"""Every state of a message, every step between two states, in one table.

The diagram in docs/design/states.md is generated from it: `python -m notifybot.model.states`.
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


class Transition(StrEnum):
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


TRANSITIONS: dict[Transition, dict[State, State]] = {
    Transition.RELEASE: {State.SCHEDULED: State.INITIATED},
    Transition.SHOW: {State.INITIATED: State.SENT},
    Transition.FAIL: {State.INITIATED: State.FAILED},
    Transition.RETRY: {State.FAILED: State.INITIATED},
    Transition.ESCALATE: {
        State.INITIATED: State.ESCALATED,
        State.SENT: State.ESCALATED,
        State.FAILED: State.ESCALATED,
        State.ESCALATED: State.ESCALATED,
    },
    Transition.ACKNOWLEDGE: {
        State.INITIATED: State.ACKNOWLEDGED,
        State.SENT: State.ACKNOWLEDGED,
        State.ESCALATED: State.ACKNOWLEDGED,
        State.FAILED: State.ACKNOWLEDGED,
    },
    Transition.UNACKNOWLEDGE: {State.ACKNOWLEDGED: State.INITIATED},
    Transition.CLOSE: {
        State.INITIATED: State.CLOSED,
        State.SENT: State.CLOSED,
        State.ESCALATED: State.CLOSED,
        State.FAILED: State.CLOSED,
        State.ACKNOWLEDGED: State.CLOSED,
    },
    Transition.CANCEL: {State.SCHEDULED: State.CANCELLED, State.INITIATED: State.CANCELLED},
}

ALERTS_ONLY = frozenset({Transition.ESCALATE, Transition.ACKNOWLEDGE, Transition.UNACKNOWLEDGE, Transition.CLOSE})
FINAL = frozenset({State.CLOSED, State.CANCELLED})


def next_state(state: State, step: Transition, *, is_alert: bool) -> State | None:
    """Say where `step` leads from `state`; None where it is not allowed."""
    if step in ALERTS_ONLY and not is_alert:
        return None
    return TRANSITIONS[step].get(state)


def sources(step: Transition) -> tuple[State, ...]:
    """The states from which `step` is allowed, for a conditional UPDATE."""
    return tuple(TRANSITIONS[step])


def target(step: Transition) -> State:
    """The one state that `step` leads to."""
    return next(iter(TRANSITIONS[step].values()))


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> scheduled: send_at lies ahead", "    [*] --> initiated: accepted"]
    for step, moves in TRANSITIONS.items():
        lines += [f"    {source} --> {to}: {step}" for source, to in moves.items()]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
