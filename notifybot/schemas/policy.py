"""The policy of an alert as a caller says it: a name of the config, or steps of their own."""

from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from notifybot.config.model import AS_ALERTS, Policy, StepConfig
from notifybot.schemas.types import MAX_LABEL, Recipients, Span
from notifybot.web.bodies import RequestFields
from notifybot.web.problems import problems_of

MAX_STEPS = 20
MAX_ROUNDS = 100
FORM = 'this is the name of a policy, or one like {"steps": [{"after": "5m", "to": ["alice"]}]}'


class StepFields(RequestFields):
    after: Span
    to: Recipients

    @model_validator(mode="after")
    def _says_when_and_whom(self) -> "StepFields":
        if self.after is None or self.to is None:
            raise ValueError("a step says after how long, and whom it tells")
        return self


class PolicyFields(RequestFields):
    steps: Annotated[list[StepFields], Field(min_length=1, max_length=MAX_STEPS)]
    repeat: Annotated[int, Field(ge=0, le=MAX_ROUNDS)] = 0
    close_after: Span = AS_ALERTS
    remind_every: Span = AS_ALERTS

    def policy(self) -> Policy:
        steps = [
            StepConfig(step.after, step.to) for step in self.steps if step.after is not None and step.to is not None
        ]
        if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
            raise ValueError("a step comes later than the one before it; spans count from the alert's beginning")
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


_SPAN = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
_RECIPIENTS = {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "minItems": 1}
_STEP = {
    "type": "object",
    "properties": {"after": _SPAN, "to": _RECIPIENTS},
    "required": ["after", "to"],
    "additionalProperties": False,
}
_POLICY = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": _STEP, "minItems": 1, "maxItems": MAX_STEPS},
        "repeat": {"type": "integer", "minimum": 0, "maximum": MAX_ROUNDS},
        "close_after": _SPAN,
        "remind_every": _SPAN,
    },
    "required": ["steps"],
    "additionalProperties": False,
}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL}
PolicyField = Annotated[
    str | Policy | None, BeforeValidator(_policy), WithJsonSchema({"anyOf": [_NAME, _POLICY, {"type": "null"}]})
]
