"""Every state, every step: written out here, so that the table in the code cannot prove itself right."""

import itertools
import re
from pathlib import Path

import pytest

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
PAIRS = list(itertools.product(State, Transition))


def test_there_are_these_states_and_steps() -> None:
    states = "scheduled initiated sent escalated acknowledged closed failed cancelled"
    steps = "release show fail retry escalate acknowledge unacknowledge close cancel"
    assert list(State) == states.split()
    assert list(Transition) == steps.split()


@pytest.mark.parametrize(("state", "step"), PAIRS)
def test_where_a_step_leads_an_alert(state: State, step: Transition) -> None:
    assert model_states.next_state(state, step, is_alert=True) == OF_ALERTS.get((state, step))


@pytest.mark.parametrize(("state", "step"), PAIRS)
def test_where_a_step_leads_a_notice(state: State, step: Transition) -> None:
    assert model_states.next_state(state, step, is_alert=False) == OF_NOTICES.get((state, step))


@pytest.mark.parametrize("step", Transition)
def test_a_conditional_update_knows_from_where_and_where_to(step: Transition) -> None:
    assert set(model_states.sources(step)) == {state for state, taken in OF_ALERTS if taken == step}
    assert {model_states.target(step)} == {to for (_, taken), to in OF_ALERTS.items() if taken == step}


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_nothing_leads_out_of_a_final_state(state: str) -> None:
    assert state in model_states.FINAL
    assert not any(source == state for source, _ in OF_ALERTS)


def test_every_other_state_has_a_way_out_for_an_alert() -> None:
    assert {source for source, _ in OF_ALERTS} == set(State) - set(model_states.FINAL)


def test_the_diagram_draws_each_step_once() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+)$", model_states.diagram(), re.MULTILINE)
    assert sorted(drawn) == sorted((state, to, step) for (state, step), to in OF_ALERTS.items())


def test_the_diagram_in_the_documentation_is_the_table() -> None:
    page = (ROOT / "docs/design/states.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```mermaid\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    assert model_states.diagram() in blocks, "print it with: python -m notifybot.model.states"
