"""Steps of a policy: when they are due, which are taken together, and how config and caller combine."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from notifybot.alerts.policy import AlertTiming, DueSteps, EscalationPlan, EscalationStep, alert_timing, escalation_plan
from notifybot.config.model import Alerts, Policy, StepConfig
from notifybot.errors import NotifybotError

NOTHING: Mapping[str, timedelta | None] = {}


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def plan(*steps: tuple[int, str], count: int) -> EscalationPlan:
    return EscalationPlan(tuple(EscalationStep(minutes(after), (to,)) for after, to in steps), count)


def policy(*steps: tuple[int, str], **more: object) -> Policy:
    return Policy(tuple(StepConfig(minutes(after), (to,)) for after, to in steps), **more)  # type: ignore[arg-type]


TWICE = plan((5, "anna"), (20, "boss"), count=4)
NIGHT = policy((5, "anna"), (20, "boss"), repeat=1, close_after=minutes(480), remind_every=minutes(30))
ALERTS = Alerts(
    escalation_channel="-1001", policies={"night": NIGHT, "day": policy((10, "anna")).with_defaults(Alerts())}
)


def test_the_rounds_of_a_plan_follow_one_another() -> None:
    assert [TWICE.due_after(step) for step in range(TWICE.count)] == [*map(minutes, (5, 20, 25, 40))]


def test_a_single_repeated_step_comes_at_even_intervals() -> None:
    every = plan((10, "anna"), count=3)
    assert [every.due_after(step) for step in range(every.count)] == [*map(minutes, (10, 20, 30))]


@pytest.mark.parametrize(("close_after", "count"), [(5, 0), (6, 1), (25, 2), (26, 3), (41, 4), (1000, 4)])
def test_steps_due_when_the_alert_closes_or_later_are_never_taken(close_after: int, count: int) -> None:
    assert escalation_plan(NIGHT, minutes(close_after)).count == count


def test_an_alert_that_never_closes_goes_through_all_steps() -> None:
    assert escalation_plan(NIGHT, None) == TWICE


def test_a_step_has_its_recipients_and_the_time_to_the_next() -> None:
    assert TWICE.due_steps(left=3, overdue=timedelta()) == DueSteps(2, 1, ("boss",), minutes(5))


def test_no_step_follows_the_last() -> None:
    assert TWICE.due_steps(left=1, overdue=timedelta()) == DueSteps(4, 1, ("boss",), None)
    assert TWICE.due_steps(left=1, overdue=minutes(99)) == DueSteps(4, 1, ("boss",), None)


@pytest.mark.parametrize(
    ("overdue", "taken"),
    [
        (14, DueSteps(1, 1, ("anna",), minutes(15))),
        (15, DueSteps(1, 2, ("anna", "boss"), minutes(20))),
        (20, DueSteps(1, 3, ("anna", "boss"), minutes(35))),
        (999, DueSteps(1, 4, ("anna", "boss"), None)),
    ],
)
def test_overdue_steps_are_taken_together_and_notify_everyone_once(overdue: int, taken: DueSteps) -> None:
    assert TWICE.due_steps(left=4, overdue=minutes(overdue)) == taken


def test_a_plan_comes_back_from_the_database_as_it_was() -> None:
    assert EscalationPlan.from_json(TWICE.to_json()) == TWICE
    assert TWICE.to_json()["steps"][1] == {"after_s": 1200, "to": ["boss"]}


def test_without_a_policy_the_config_decides() -> None:
    assert alert_timing(ALERTS, None, NOTHING) == AlertTiming(minutes(15), minutes(60))


def test_the_caller_overrides_the_config() -> None:
    given = {"escalate_after": minutes(1), "close_after": None, "remind_every": minutes(2)}
    assert alert_timing(ALERTS, None, given) == AlertTiming(minutes(1), None, minutes(2))


def test_without_an_escalation_channel_only_a_policy_escalates() -> None:
    alone = Alerts(policies=ALERTS.policies)
    assert alert_timing(alone, None, {"escalate_after": minutes(1)}).escalate_after is None
    assert alert_timing(alone, "night", NOTHING).escalate_after == minutes(5)


def test_a_policy_sets_escalation_closing_and_reminders() -> None:
    wanted = AlertTiming(minutes(5), minutes(480), minutes(30), "night", TWICE)
    assert alert_timing(ALERTS, "night", NOTHING) == wanted


def test_a_policy_inherits_what_it_leaves_out() -> None:
    found = alert_timing(ALERTS, "day", NOTHING)
    assert (found.close_after, found.remind_every) == (minutes(60), None)


def test_a_caller_may_override_close_after_of_a_policy_and_later_steps_are_dropped() -> None:
    found = alert_timing(ALERTS, "night", {"close_after": minutes(21)})
    assert (found.close_after, found.step_count, found.escalate_after) == (minutes(21), 2, minutes(5))


def test_an_alert_that_closes_before_the_first_step_never_escalates() -> None:
    found = alert_timing(ALERTS, "night", {"close_after": minutes(5)})
    assert (found.step_count, found.escalate_after) == (0, None)


def test_with_a_policy_escalation_can_only_be_switched_off() -> None:
    found = alert_timing(ALERTS, "night", {"escalate_after": None})
    assert (found.step_count, found.escalate_after) == (0, None)
    with pytest.raises(NotifybotError, match="already defines"):
        alert_timing(ALERTS, "night", {"escalate_after": minutes(1)})


def test_an_inline_policy_has_no_name() -> None:
    found = alert_timing(ALERTS, policy((3, "anna")), NOTHING)
    assert (found.policy, found.plan, found.close_after) == (None, plan((3, "anna"), count=1), minutes(60))


def test_an_unknown_policy_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(NotifybotError) as caught:
        alert_timing(ALERTS, "nigth", NOTHING)
    assert (caught.value.detail, caught.value.hint) == ("There is no policy 'nigth'.", "Did you mean night?")


@pytest.mark.parametrize(
    ("alerts", "hint"),
    [(ALERTS, "Policies: day, night."), (Alerts(), "No policies are configured.")],
    ids=["some", "none"],
)
def test_without_a_similar_policy_the_hint_lists_them(alerts: Alerts, hint: str) -> None:
    with pytest.raises(NotifybotError) as caught:
        alert_timing(alerts, "xyzzy", NOTHING)
    assert caught.value.hint == hint


def test_reminders_come_at_most_once_a_minute() -> None:
    assert alert_timing(ALERTS, None, {"remind_every": minutes(1)}).remind_every == minutes(1)
    with pytest.raises(NotifybotError, match="at least 1m"):
        alert_timing(ALERTS, None, {"remind_every": timedelta(seconds=59)})
