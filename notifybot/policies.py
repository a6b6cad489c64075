"""When an alert escalates and to whom, how often people are reminded of it, and when it closes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from notifybot.config_model import Alerts, Policy
from notifybot.config_values import nearest
from notifybot.durations import LEAST_REMINDING, format_span
from notifybot.errors import NotifybotError


@dataclass(frozen=True)
class PlanStep:
    """`to`: whom it tells, as the config or a caller names them, found out when the step is taken."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """Steps that are taken at once. `first` counts from 1, over all rounds; `to` has everybody once; `next_after`: so
    long after the last of them comes the one behind it, None if that was the last."""

    first: int
    count: int
    to: tuple[str, ...]
    next_after: timedelta | None


@dataclass(frozen=True)
class Plan:
    """What a policy says of an alert: its steps, whose spans count from its beginning, and how often they are gone
    through again."""

    steps: tuple[PlanStep, ...]
    repeat: int = 0

    @property
    def count(self) -> int:
        """How many steps there are in all rounds."""
        return len(self.steps) * (self.repeat + 1)

    def due_after(self, step: int) -> timedelta:
        """When a step is due, counted from 0 over all rounds: each round begins when the last step before it is due."""
        rounds, place = divmod(step, len(self.steps))
        return rounds * self.steps[-1].after + self.steps[place].after

    def until(self, close_after: timedelta | None) -> int:
        """How many steps are due before the alert closes: at that moment, or past it, nobody is bothered any more."""
        if close_after is None:
            return self.count
        return sum(self.due_after(step) < close_after for step in range(self.count))

    def take(self, step: int, *, left: int, overdue: timedelta) -> Taken:
        """Take this step of the `left` that are still ahead, overdue by so long, with those behind it that are overdue
        too: after a stop everybody is told once."""
        last = step
        while last + 1 < step + left and self.due_after(last + 1) - self.due_after(step) <= overdue:
            last += 1
        told = dict.fromkeys(name for each in range(step, last + 1) for name in self.steps[each % len(self.steps)].to)
        has_more = last + 1 < step + left
        next_after = self.due_after(last + 1) - self.due_after(step) if has_more else None
        return Taken(step + 1, last + 1 - step, tuple(told), next_after)

    def stored(self) -> dict[str, Any]:
        """As the database keeps it."""
        steps = [{"after_s": int(step.after.total_seconds()), "to": list(step.to)} for step in self.steps]
        return {"steps": steps, "repeat": self.repeat}

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Plan":
        """Read what `stored` made."""
        steps = (PlanStep(timedelta(seconds=each["after_s"]), tuple(each["to"])) for each in stored["steps"])
        return Plan(tuple(steps), stored["repeat"])


@dataclass(frozen=True)
class Insistence:
    """How an alert insists on an answer; None is never. `escalate_after`: when the first of its `steps` is due."""

    escalate_after: timedelta | None
    close_after: timedelta | None
    remind_every: timedelta | None = None
    policy: str | None = None
    plan: Plan | None = None
    steps: int = 1


def insistence(alerts: Alerts, policy: str | Policy | None, given: Mapping[str, timedelta | None]) -> Insistence:
    """What the config, the policy (by its name there, or one of the caller's own) and the caller say together.

    `given`: what the caller says of `escalate_after`, `close_after` and `remind_every`. Raises NotifybotError for a
    policy that is not there, for a span that contradicts it, and for reminders that would come too often.
    """
    chosen = _named(alerts, policy) if isinstance(policy, str) else policy and policy.completed(alerts)
    remind_every = given.get("remind_every", alerts.remind_every if chosen is None else chosen.remind_every)
    if remind_every is not None and remind_every < LEAST_REMINDING:
        raise NotifybotError(f"remind_every is at least {format_span(LEAST_REMINDING)}, or never.")
    if chosen is None:
        escalate_after = given.get("escalate_after", alerts.escalate_after)
        close_after = given.get("close_after", alerts.close_after)
        has_channel = alerts.escalation_channel is not None
        return Insistence(escalate_after if has_channel else None, close_after, remind_every)
    close_after = given.get("close_after", chosen.close_after)
    plan, name = plan_of(chosen), policy if isinstance(policy, str) else None
    steps = plan.until(close_after)
    if "escalate_after" in given:
        steps = _without_steps(given["escalate_after"])
    first = plan.due_after(0) if steps else None
    return Insistence(first, close_after, remind_every, name, plan, steps)


def plan_of(policy: Policy) -> Plan:
    return Plan(tuple(PlanStep(step.after, step.to) for step in policy.steps), policy.repeat)


def _named(alerts: Alerts, name: str) -> Policy:
    if name in alerts.policies:
        return alerts.policies[name]
    near = nearest(name, alerts.policies)
    known = f"There are {', '.join(sorted(alerts.policies))}." if alerts.policies else "The config has none."
    raise NotifybotError(f"There is no policy {name!r}.", hint=f"Did you mean {near}?" if near else known)


def _without_steps(escalate_after: timedelta | None) -> int:
    """A policy says itself when it escalates; all that can be said beside it is that it does not."""
    if escalate_after is not None:
        hint = "Leave escalate_after out, or set it to never."
        raise NotifybotError("The policy says already when an alert escalates.", hint=hint)
    return 0
