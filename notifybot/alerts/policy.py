"""Work out when an alert escalates and to whom, when it reminds, and when it closes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from notifybot.config.model import Alerts, Policy
from notifybot.errors import NotifybotError, did_you_mean
from notifybot.times.spans import LEAST_REMINDING, comes_before_close, format_span


@dataclass(frozen=True)
class EscalationStep:
    """One step of a policy. The recipients `to` are resolved when the step is taken."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True)
class DueSteps:
    """Steps that are taken at once. `first` counts from 1 over all rounds. `next_after`: time from the first of them to
    the step after the last, None if there is none."""

    first: int
    count: int
    to: tuple[str, ...]
    next_after: timedelta | None


@dataclass(frozen=True)
class EscalationPlan:
    """The steps of a policy, repeated in rounds until `count` are taken. Spans count from the alert's beginning."""

    steps: tuple[EscalationStep, ...]
    count: int

    def due_after(self, step: int) -> timedelta:
        """Return when a step is due, counted from 0 over all rounds. A round begins with the last step before it."""
        rounds, place = divmod(step, len(self.steps))
        return rounds * self.steps[-1].after + self.steps[place].after

    def is_last_of_round(self, step: int) -> bool:
        return (step + 1) % len(self.steps) == 0

    def due_steps(self, *, left: int, overdue: timedelta) -> DueSteps:
        """Return the next step and all later ones that are overdue too: after a downtime everyone is notified once."""
        first = last = self.count - left
        while last + 1 < self.count and self.due_after(last + 1) - self.due_after(first) <= overdue:
            last += 1
        to = dict.fromkeys(name for step in range(first, last + 1) for name in self.steps[step % len(self.steps)].to)
        next_after = self.due_after(last + 1) - self.due_after(first) if last + 1 < self.count else None
        return DueSteps(first + 1, last + 1 - first, tuple(to), next_after)

    def to_json(self) -> dict[str, Any]:
        steps = [{"after_s": int(step.after.total_seconds()), "to": list(step.to)} for step in self.steps]
        return {"steps": steps, "count": self.count}

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "EscalationPlan":
        steps = (EscalationStep(timedelta(seconds=each["after_s"]), tuple(each["to"])) for each in stored["steps"])
        return EscalationPlan(tuple(steps), stored["count"])


@dataclass(frozen=True)
class AlertTiming:
    """Deadlines of an alert; None is never. `escalate_after`: time to the first step of its plan, or without a plan to
    the only step, which goes to the escalation channel."""

    escalate_after: timedelta | None
    close_after: timedelta | None
    remind_every: timedelta | None = None
    policy: str | None = None
    plan: EscalationPlan | None = None

    @property
    def step_count(self) -> int:
        return 1 if self.plan is None else self.plan.count


def alert_timing(alerts: Alerts, policy: str | Policy | None, given: Mapping[str, timedelta | None]) -> AlertTiming:
    """Combine the config, a policy (by name, or the caller's own) and the spans `given` by the caller.

    `given` may have `escalate_after`, `close_after` and `remind_every`. Raises NotifybotError for an unknown policy, a
    span that contradicts it, and reminders that are too frequent.
    """
    chosen = _find_policy(alerts, policy) if isinstance(policy, str) else policy and policy.with_defaults(alerts)
    remind_every = given.get("remind_every", (chosen or alerts).remind_every)
    if remind_every is not None and remind_every < LEAST_REMINDING:
        raise NotifybotError(f"remind_every must be at least {format_span(LEAST_REMINDING)}, or never.")
    close_after = given.get("close_after", (chosen or alerts).close_after)
    if chosen is None:
        escalate_after = given.get("escalate_after", alerts.escalate_after)
        has_channel = alerts.escalation_channel is not None
        return AlertTiming(escalate_after if has_channel else None, close_after, remind_every)
    plan = escalation_plan(chosen, close_after, is_off="escalate_after" in given)
    if given.get("escalate_after") is not None:
        hint = "Leave escalate_after out, or set it to never."
        raise NotifybotError("The policy already defines when an alert escalates.", hint=hint)
    first = plan.due_after(0) if plan.count else None
    return AlertTiming(first, close_after, remind_every, policy if isinstance(policy, str) else None, plan)


def escalation_plan(policy: Policy, close_after: timedelta | None, *, is_off: bool = False) -> EscalationPlan:
    """Return the steps of a policy that are due before the alert closes."""
    steps = tuple(EscalationStep(step.after, step.to) for step in policy.steps)
    whole = EscalationPlan(steps, 0 if is_off else len(steps) * (policy.repeat + 1))
    return replace(
        whole, count=sum(comes_before_close(whole.due_after(step), close_after) for step in range(whole.count))
    )


def _find_policy(alerts: Alerts, name: str) -> Policy:
    if name in alerts.policies:
        return alerts.policies[name]
    near = did_you_mean(name, alerts.policies)
    known = f"Policies: {', '.join(sorted(alerts.policies))}." if alerts.policies else "No policies are configured."
    raise NotifybotError(f"There is no policy {name!r}.", hint=f"Did you mean {near}?" if near else known)
