"""States of a message and the transitions between them, in one table.

The SQL conditions in model/conditions.py and the diagram in docs/design/states.md are generated from it; print the
diagram with `python -m notifybot.model.states`.
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
    """Reason for a change of state."""

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
FINAL = frozenset(State) - {state for moves in TRANSITIONS.values() for state in moves}
"""States that no transition leaves. A notice also stays in FINAL_FOR_NOTICES, unless someone retries it."""
FINAL_FOR_NOTICES = frozenset({State.SENT, State.FAILED})


def next_state(state: State, transition: Transition, *, is_alert: bool) -> State | None:
    """Return the state that `transition` leads to from `state`; None if it is not allowed."""
    if transition in ALERTS_ONLY and not is_alert:
        return None
    return TRANSITIONS[transition].get(state)


def sources(transition: Transition) -> tuple[State, ...]:
    """Return the states from which `transition` is allowed, for a conditional UPDATE."""
    return tuple(TRANSITIONS[transition])


def target(transition: Transition) -> State:
    """Return the one state that `transition` leads to."""
    return next(iter(TRANSITIONS[transition].values()))


def can_acknowledge(state: State, *, is_alert: bool, is_acknowledged: bool) -> bool:
    """Return True if a message still waits for an acknowledgement; in SQL: conditions.IS_UNACKNOWLEDGED."""
    return not is_acknowledged and next_state(state, Transition.ACKNOWLEDGE, is_alert=is_alert) is not None


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> scheduled: send_at is in the future", "    [*] --> initiated: accepted"]
    for transition, moves in TRANSITIONS.items():
        lines += [f"    {source} --> {to}: {transition}" for source, to in moves.items()]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
