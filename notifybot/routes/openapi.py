"""What each route takes and answers, for programs: made from the models that check the requests."""

import functools
import re
from collections.abc import Sequence

from aiohttp import web
from pydantic.json_schema import models_json_schema

from notifybot.auth.permissions import PERMISSIONS, Action
from notifybot.schemas import responses
from notifybot.schemas.messages import KEY_HEADER
from notifybot.schemas.responses import NAMED, SCHEMAS, Document, reference, response_schema
from notifybot.web.route import Route

VERSION = "1"
"""Of the interface."""
PROBLEM_TYPE = "application/problem+json"
FILES = "/files/{name}"
REFUSALS = {
    400: "The request is wrong.",
    401: "Nobody knows who is calling.",
    403: "This caller may not do that.",
    404: "There is none, or it is another's.",
    408: "The request did not come in time.",
    409: "Its state forbids it.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken.",
    429: "This caller is too fast; Retry-After says when to come again.",
    503: "Nothing was accepted; try again after Retry-After.",
}


def with_openapi(routes: Sequence[Route]) -> Route:
    """The route that describes all of them, and itself."""

    @functools.cache
    def described() -> Document:
        return description([*routes, own])

    async def show(_: web.Request) -> web.Response:
        return responses.json_response(described())

    own = Route("GET", "/openapi.json", show, "All of this, described for programs (OpenAPI 3.1).", Action.LOOK)
    return own


def description(routes: Sequence[Route]) -> Document:
    """The OpenAPI document of these routes."""
    models = {model for route in routes for model in (route.body, route.query) if model is not None}
    keys, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models, key=_place)], ref_template=f"{SCHEMAS}{{model}}"
    )
    schemas = definitions.get("$defs", {})
    names = {_place(model): str(found["$ref"]).rpartition("/")[2] for (model, _), found in keys.items()}
    paths: dict[str, Document] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "notifybot", "version": VERSION, "description": "Tells the right people in Telegram."},
        "paths": paths,
        "components": {
            "schemas": {**schemas, **NAMED},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _place(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _operation(route: Route, names: dict[str, str], schemas: dict[str, Document]) -> Document:
    rule = PERMISSIONS[route.action]
    operation: Document = {
        "operationId": _operation_id(route),
        "summary": route.about,
        "security": [{"bearer": []}, *([{}] if rule.is_for_strangers else [])],
        "parameters": [*_path_parameters(route), *_query_parameters(route, names, schemas), *_header_parameters(route)],
        "responses": _responses(route),
    }
    if rule.needs:
        operation["x-scopes"] = sorted(rule.needs)
    if route.body is not None:
        schema = schemas[names[_place(route.body)]]
        types = ["application/json", *(["multipart/form-data"] if route.has_form else [])]
        content = {kind: {"schema": {"$ref": SCHEMAS + names[_place(route.body)]}} for kind in types[:1]}
        content |= {kind: {"schema": {"type": "object"}} for kind in types[1:]}
        operation["requestBody"] = {"required": "required" in schema, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    return "_".join([route.method.lower(), *re.findall(r"[A-Za-z0-9]+", route.path)])


def _path_parameters(route: Route) -> list[Document]:
    named = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named]


def _query_parameters(route: Route, names: dict[str, str], schemas: dict[str, Document]) -> list[Document]:
    if route.query is None:
        return []
    properties = schemas[names[_place(route.query)]].get("properties", {})
    assert isinstance(properties, dict)
    return [{"name": name, "in": "query", "schema": _given(schema)} for name, schema in properties.items()]


def _given(schema: Document) -> Document:
    """Of a parameter that is there: in a query nothing stands for null."""
    either = schema.get("anyOf")
    if not isinstance(either, list):
        return schema
    present = [each for each in either if each != {"type": "null"}]
    return present[0] if len(present) == 1 else {"anyOf": present}


def _header_parameters(route: Route) -> list[Document]:
    if not route.has_form:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}
    return [{"name": KEY_HEADER, "in": "header", "schema": schema}]


def _responses(route: Route) -> Document:
    refusals = {status: about for status, about in REFUSALS.items() if status not in route.statuses}
    problem = {PROBLEM_TYPE: {"schema": reference("Problem")}}
    well = {str(status): {"description": "Done.", "content": _answer(route)} for status in route.statuses}
    return {**well, **{str(status): {"description": about, "content": problem} for status, about in refusals.items()}}


def _answer(route: Route) -> Document:
    if route.path == FILES:
        return {"*/*": {}}
    return {"application/json": {"schema": response_schema(route.method, route.path)}}
