"""All states and transitions, written out again so that the table in the code does not test itself."""

import contextlib
import itertools
import re
import sqlite3
from pathlib import Path

import pytest

from notifybot.model import conditions
from notifybot.model import states as model_states
from notifybot.model.states import State, Transition

ROOT = Path(__file__).parents[2]
ALLOWED = """
    scheduled    release     initiated
    scheduled    cancel      cancelled
    initiated    show        sent
    initiated    fail        failed
    initiated    escalate    escalated     alert
    initiated    acknowledge acknowledged  alert
    initiated    close       closed        alert
    initiated    cancel      cancelled
    sent         escalate    escalated     alert
    sent         acknowledge acknowledged  alert
    sent         close       closed        alert
    escalated    escalate    escalated     alert
    escalated    acknowledge acknowledged  alert
    escalated    close       closed        alert
    failed       retry       initiated
    failed       escalate    escalated     alert
    failed       acknowledge acknowledged  alert
    failed       close       closed        alert
    acknowledged unacknowledge initiated   alert
    acknowledged close       closed        alert
"""
LINES = [line.split() for line in ALLOWED.strip().splitlines()]
OF_ALERTS = {(line[0], line[1]): line[2] for line in LINES}
OF_NOTICES = {(line[0], line[1]): line[2] for line in LINES if len(line) == 3}
ROW = """
    (SELECT :state AS state, :is_alert AS is_alert, :acknowledged_at AS acknowledged_at, 1 AS steps_left,
            1 AS may_expire, 0 AS escalate_at, 0 AS remind_at, 0 AS close_at, 0 AS release_at)
"""
PAIRS = list(itertools.product(State, Transition))


def meets(condition: str, state: State, *, is_alert: bool, acknowledged_at: str | None) -> bool:
    """Return True if a message in this state, with all its deadlines set, meets an SQL condition."""
    row = {"state": state.value, "is_alert": is_alert, "acknowledged_at": acknowledged_at}
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute(f"SELECT 1 FROM {ROW} WHERE {condition}", row).fetchone() is not None


def test_states_and_transitions_are_exactly_these() -> None:
    states = "scheduled initiated sent escalated acknowledged closed failed cancelled"
    steps = "release show fail retry escalate acknowledge unacknowledge close cancel"
    assert list(State) == states.split()
    assert list(Transition) == steps.split()


@pytest.mark.parametrize(("state", "step"), PAIRS)
def test_transitions_of_an_alert(state: State, step: Transition) -> None:
    assert model_states.next_state(state, step, is_alert=True) == OF_ALERTS.get((state, step))


@pytest.mark.parametrize(("state", "step"), PAIRS)
def test_transitions_of_a_notice(state: State, step: Transition) -> None:
    assert model_states.next_state(state, step, is_alert=False) == OF_NOTICES.get((state, step))


@pytest.mark.parametrize("step", Transition)
def test_sources_and_target_of_a_transition(step: Transition) -> None:
    assert set(model_states.sources(step)) == {state for state, taken in OF_ALERTS if taken == step}
    assert {model_states.target(step)} == {to for (_, taken), to in OF_ALERTS.items() if taken == step}


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_nothing_leads_out_of_a_final_state(state: str) -> None:
    assert state in model_states.FINAL
    assert not any(source == state for source, _ in OF_ALERTS)


@pytest.mark.parametrize("state", State)
def test_an_alert_waits_for_an_acknowledgement_where_one_is_allowed(state: State) -> None:
    is_allowed = (state, "acknowledge") in OF_ALERTS
    for is_alert, acknowledged_at in itertools.product((True, False), (None, "2026-03-01")):
        waits = is_allowed and is_alert and acknowledged_at is None
        is_acknowledged = acknowledged_at is not None
        assert model_states.can_acknowledge(state, is_alert=is_alert, is_acknowledged=is_acknowledged) is waits
        assert meets(conditions.IS_UNACKNOWLEDGED, state, is_alert=is_alert, acknowledged_at=acknowledged_at) is waits


@pytest.mark.parametrize("state", State)
def test_conditions_hold_in_the_states_that_allow_their_transition(state: State) -> None:
    expected = {
        conditions.MAY_ESCALATE: "escalate",
        conditions.MAY_REMIND: "close",
        conditions.MAY_EXPIRE: "close",
        conditions.IS_OPEN: "close",
        conditions.MAY_BE_RELEASED: "release",
    }
    for condition, transition in expected.items():
        assert meets(condition, state, is_alert=True, acknowledged_at=None) is ((state, transition) in OF_ALERTS)


def test_every_other_state_has_a_way_out_for_an_alert() -> None:
    assert {source for source, _ in OF_ALERTS} == set(State) - set(model_states.FINAL)


def test_the_diagram_draws_each_transition_once() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+)$", model_states.diagram(), re.MULTILINE)
    assert sorted(drawn) == sorted((state, to, step) for (state, step), to in OF_ALERTS.items())


def test_the_diagram_in_the_documentation_is_the_table() -> None:
    page = (ROOT / "docs/design/states.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```mermaid\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    assert model_states.diagram() in blocks, "print it with: python -m notifybot.model.states"
