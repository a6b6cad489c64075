"""GET /openapi.json: the OpenAPI description, from the models of requests and responses."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from notifybot.auth.permissions import PERMISSIONS, Action
from notifybot.schemas.messages import KEY_HEADER
from notifybot.web.documents import adapter_of, json_response
from notifybot.web.problems import ProblemDocument
from notifybot.web.route import Route

VERSION = "1"
"""Version of the API."""
PROBLEM_TYPE = "application/problem+json"
REFERENCE = "#/components/schemas/{model}"
REFUSALS = {
    400: "The request is invalid.",
    401: "The caller is not authenticated.",
    403: "The caller is not allowed to do this.",
    404: "It does not exist, or belongs to another account.",
    408: "The request took too long to arrive.",
    409: "Its state forbids this.",
    413: "The body is too large.",
    415: "The media type of the body is not supported.",
    421: "The header Host names another machine.",
    429: "Rate limit; retry after Retry-After.",
    503: "Nothing was accepted; retry after Retry-After.",
}

Json = dict[str, Any]


class _Schemas(GenerateJsonSchema):
    """Name components after documents, and add no titles."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name).removesuffix("Document")

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def with_openapi(routes: Sequence[Route]) -> Route:
    """Return the route that describes the routes, and itself."""

    @functools.cache
    def described() -> Json:
        return description([*routes, own])

    async def show(_: web.Request) -> web.Response:
        return json_response(described(), kind=Json)

    own = Route("GET", "/openapi.json", show, Json, "Describe this API (OpenAPI 3.1).", Action.LOOK)
    return own


def description(routes: Sequence[Route]) -> Json:
    """Describe these routes in OpenAPI."""
    schema_of, components = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "notifybot", "version": VERSION, "description": "Notifies the right people in Telegram."},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _schemas(routes: Sequence[Route]) -> tuple[dict[Any, Json], dict[str, Json]]:
    """Return the schema of each request and response type, and the components that they refer to."""
    requests = {model for route in routes for model in (route.body, route.query) if model is not None}
    answers = {route.response for route in routes if route.response is not None} | {ProblemDocument}
    modes: list[tuple[Any, JsonSchemaMode]] = [(kind, "validation") for kind in sorted(requests, key=str)]
    modes += [(kind, "serialization") for kind in sorted(answers, key=str)]
    inputs = [(kind, mode, adapter_of(kind)) for kind, mode in modes]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE, schema_generator=_Schemas)
    return {kind: schema for (kind, _), schema in found.items()}, definitions.get("$defs", {})


def _operation(route: Route, schema_of: dict[Any, Json], components: dict[str, Json]) -> Json:
    rule = PERMISSIONS[route.action]
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "security": [{"bearer": []}, *([{}] if rule.allows_anonymous else [])],
        "parameters": [*_path_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, schema_of),
    }
    if rule.needs:
        operation["x-scopes"] = sorted(rule.needs)
    if route.query is not None:
        operation["parameters"] += _query_parameters(_resolved(schema_of[route.query], components))
    if route.body is not None:
        content = {"application/json": {"schema": schema_of[route.body]}}
        if route.takes_form:
            content["multipart/form-data"] = {"schema": {"type": "object"}}
        is_required = "required" in _resolved(schema_of[route.body], components)
        operation["requestBody"] = {"required": is_required, "content": content}
    return operation


def _resolved(schema: Json, components: dict[str, Json]) -> Json:
    return components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _operation_id(route: Route) -> str:
    return "_".join([route.method.lower(), *re.findall(r"[A-Za-z0-9]+", route.path)])


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: Json) -> list[Json]:
    return [{"name": name, "in": "query", "schema": _not_null(each)} for name, each in query["properties"].items()]


def _not_null(schema: Json) -> Json:
    """Drop null: a query cannot say it."""
    if "anyOf" not in schema:
        return schema
    others = [each for each in schema["anyOf"] if each != {"type": "null"}]
    return others[0] if len(others) == 1 else {"anyOf": others}


def _header_parameters(route: Route) -> list[Json]:
    if not route.takes_form:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}
    return [{"name": KEY_HEADER, "in": "header", "schema": schema}]


def _responses(route: Route, schema_of: dict[Any, Json]) -> Json:
    content = {"*/*": {}} if route.response is None else {"application/json": {"schema": schema_of[route.response]}}
    problem = {PROBLEM_TYPE: {"schema": schema_of[ProblemDocument]}}
    refusals = {status: about for status, about in REFUSALS.items() if status not in route.statuses}
    return {
        **{str(status): {"description": "Success.", "content": content} for status in route.statuses},
        **{str(status): {"description": about, "content": problem} for status, about in refusals.items()},
    }
