"""The client reads every response that OpenAPI describes, and has no field that OpenAPI does not."""

from typing import Any, get_args

import pytest

from notifybot.client import Accepted, Health, MessageInfo, MessagePage, Subscriber, Token
from notifybot.client.account import AccountStatus, DeepLink, LinkStatus
from notifybot.client.jobs import JobInfo, JobRunInfo
from notifybot.client.oncall import OverrideInfo, RotationInfo
from notifybot.client.people import ImportResult, PersonInfo
from notifybot.client.reader import read, read_list
from notifybot.client.record import fields_of, is_record
from notifybot.client.results import ActorInfo
from notifybot.client.schedules import ScheduleInfo
from notifybot.routes import table
from notifybot.routes.openapi import description

Json = dict[str, Any]
DESCRIPTION = description(table())
RESPONSES: tuple[tuple[type, str, str | None], ...] = (
    (Accepted, "post /api/ingest", None),
    (Accepted, "post /api/events", None),
    (MessageInfo, "get /api/messages/{id}", None),
    (MessageInfo, "patch /api/messages/{id}", None),
    (MessageInfo, "post /api/messages/{id}/acknowledge", None),
    (MessagePage, "get /api/messages", None),
    (Subscriber, "post /subscribe-user", None),
    (Health, "get /health", None),
    (Token, "post /api/admin/tokens", None),
    (Token, "get /api/admin/tokens", "tokens"),
    (DeepLink, "get /api/telegram/link-account", None),
    (LinkStatus, "post /api/telegram/verify-link", None),
    (LinkStatus, "post /api/telegram/verify", None),
    (LinkStatus, "post /api/telegram/unlink-account", None),
    (AccountStatus, "get /api/telegram/status", None),
    (PersonInfo, "get /api/people/{name}", None),
    (PersonInfo, "get /api/people", "people"),
    (ImportResult, "post /api/admin/import", "entries"),
    (ScheduleInfo, "get /api/schedules/{id}", None),
    (ScheduleInfo, "get /api/schedules", "schedules"),
    (RotationInfo, "get /api/oncall", "rotations"),
    (OverrideInfo, "post /api/oncall/{rotation}/overrides", None),
    (JobInfo, "get /api/admin/scheduler/status", "jobs"),
    (JobRunInfo, "post /api/admin/scheduler/jobs/{name}/trigger", None),
)
"""The record for each response; a name, if it is for the items of a list."""


def schema_of(operation: str) -> Json:
    method, path = operation.split()
    responses = DESCRIPTION["paths"][path][method]["responses"]
    return next(
        responses[status]["content"]["application/json"]["schema"]
        for status in ("200", "202", "201")
        if status in responses
    )


def sample(schema: Json, *, is_full: bool) -> Any:
    """Make a document: with every field, or with as few and as many nulls as the schema allows."""
    if "$ref" in schema:
        return sample(DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]], is_full=is_full)
    if "anyOf" in schema:
        others = [each for each in schema["anyOf"] if each != {"type": "null"}]
        is_null = len(others) < len(schema["anyOf"]) and not is_full
        return None if is_null else sample(others[0], is_full=is_full)
    match schema:
        case {"enum": [first, *_]} | {"const": first}:
            return first
        case {"type": "object"}:
            chosen = schema.get("properties", {})
            return {
                name: sample(each, is_full=is_full)
                for name, each in chosen.items()
                if is_full or name in schema.get("required", ())
            }
        case {"type": "array"}:
            return [sample(schema["items"], is_full=True)] if is_full else []
        case {"type": "string", "format": "date-time"}:
            return "2026-03-01T12:00:00.000Z"
    return {"string": "text", "integer": 3, "number": 0.5, "boolean": True}[schema["type"]]


@pytest.mark.parametrize("is_full", [True, False], ids=["every field", "as few as may be"])
@pytest.mark.parametrize(
    ("kind", "operation", "name"), RESPONSES, ids=[f"{row[1]} -> {row[0].__name__}" for row in RESPONSES]
)
def test_every_described_response_is_read(kind: type, operation: str, name: str | None, is_full: bool) -> None:
    document = sample(schema_of(operation), is_full=is_full)

    if name is None:
        assert isinstance(read(kind, document), kind)
    else:
        assert len(read_list(kind, document, name)) == is_full


def test_the_client_reads_no_field_that_is_not_described() -> None:
    described: dict[type, set[str]] = {}
    for kind, operation, name in RESPONSES:
        document = sample(schema_of(operation), is_full=True)
        gather(kind, document if name is None else document[name][0], described)

    for kind, names in described.items():
        read_names = {each.key for each in fields_of(kind)} - {None}
        assert read_names - names == set(), kind.__name__


def gather(kind: type, document: Any, described: dict[type, set[str]]) -> None:
    """Collect the field names that the documents have for each record, and those in it."""
    described.setdefault(kind, set()).update(document)
    for each in fields_of(kind):
        name = each.key
        part = document if name is None else document.get(name)
        for inner in (each.annotation, *get_args(each.annotation)):
            if isinstance(inner, type) and is_record(inner) and inner is not ActorInfo and part:
                gather(inner, part[0] if isinstance(part, list) else part, described)
