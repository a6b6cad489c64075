"""The policy of an alert in a request: a name from the config, or steps."""

from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError

from notifybot.config.model import AS_ALERTS, Policy, StepConfig
from notifybot.schemas.types import MAX_LABEL, Recipients, Span
from notifybot.web.bodies import RequestFields
from notifybot.web.problems import problems_of

MAX_STEPS = 20
MAX_ROUNDS = 100
FORM = 'this must be the name of a policy, or a policy like {"steps": [{"after": "5m", "to": ["alice"]}]}'


class StepFields(RequestFields):
    after: Span
    to: Recipients

    def step(self) -> StepConfig:
        if self.after is None or self.to is None:
            raise ValueError("a step needs after and to")
        return StepConfig(self.after, self.to)


class PolicyFields(RequestFields):
    steps: Annotated[list[StepFields], Field(min_length=1, max_length=MAX_STEPS)]
    repeat: Annotated[int, Field(ge=0, le=MAX_ROUNDS)] = 0
    close_after: Span = AS_ALERTS
    remind_every: Span = AS_ALERTS

    def policy(self) -> Policy:
        steps = [each.step() for each in self.steps]
        if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
            raise ValueError("each step must be later than the one before; spans count from the start of the alert")
        return Policy(tuple(steps), self.repeat, self.close_after, self.remind_every)


def _policy(value: object) -> str | Policy | None:
    if value is None or isinstance(value, Policy):
        return value
    if isinstance(value, str):
        return _named(value)
    if not isinstance(value, dict):
        raise ValueError(FORM)
    try:
        return PolicyFields.model_validate(value).policy()
    except ValidationError as error:
        first = problems_of(error)[0]
        raise ValueError(f"{'.'.join(map(str, first.loc))}: {first.msg}".removeprefix(": ")) from None


def _named(value: str) -> str:
    if not 0 < len(value) <= MAX_LABEL:
        raise ValueError(FORM)
    return value


PolicyName = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]
PolicyField = Annotated[
    str | Policy | None, BeforeValidator(_policy, json_schema_input_type=PolicyName | PolicyFields | None)
]
