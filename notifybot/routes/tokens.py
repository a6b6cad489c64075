"""Create, list and revoke API tokens; for admins."""

import re
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, WithJsonSchema

from notifybot.auth import tokens
from notifybot.auth.permissions import Action, Scope
from notifybot.auth.tokens import NewToken
from notifybot.model import actors
from notifybot.schemas.responses import people as documents
from notifybot.schemas.responses.people import NewTokenDocument, TokenDocument, TokensDocument
from notifybot.schemas.types import Account, Recipients, Span
from notifybot.web.bodies import RequestFields, read_fields
from notifybot.web.documents import json_response
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of

_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NO_STORE = {"Cache-Control": "no-store"}


def _name(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN_NAME.fullmatch(value):
        raise ValueError("a token's name is 1 to 64 characters of A-Z a-z 0-9 . _ -")
    return value


def _scopes(value: object) -> frozenset[Scope]:
    known = [scope.value for scope in Scope]
    if not isinstance(value, list) or not value or not all(each in known for each in value):
        raise ValueError(f"this must be a list of one or more of {', '.join(known)}")
    return frozenset(map(Scope, value))


_NAME = {"type": "string", "pattern": f"^{_TOKEN_NAME.pattern}$"}
_SCOPES = {"type": "array", "items": {"type": "string", "enum": [scope.value for scope in Scope]}, "minItems": 1}


class ApiTokenFields(RequestFields):
    name: Annotated[str, BeforeValidator(_name), WithJsonSchema(_NAME)]
    account: Account = None
    scopes: Annotated[frozenset[Scope], BeforeValidator(_scopes), WithJsonSchema(_SCOPES)] = frozenset({Scope.SEND})
    to: Recipients = None
    expires: Span = None


async def create(request: web.Request) -> web.Response:
    """Create a token. Only this response has its secret."""
    fields = await read_fields(request, ApiTokenFields)
    runtime = runtime_of(request)
    new = NewToken(fields.name, fields.account or fields.name, fields.scopes, fields.to, fields.expires)
    actor = actors.by_account(caller_of(request).account).name
    make = partial(tokens.create, new=new, actor=actor, now=runtime.clock.now())
    token, secret = await runtime.database.write(make)
    answer = json_response(documents.new_token(token, secret))
    answer.headers.update(NO_STORE)
    return answer


async def list_tokens(request: web.Request) -> web.Response:
    found = await runtime_of(request).database.read(tokens.all_tokens)
    return json_response(TokensDocument(tokens=[documents.token(each) for each in found]))


async def revoke(request: web.Request) -> web.Response:
    """Revoke a token; it is refused as soon as this returns."""
    await read_fields(request, RequestFields)
    runtime = runtime_of(request)
    end = partial(tokens.revoke, name=request.match_info["name"], now=runtime.clock.now())
    return json_response(documents.token(await runtime.database.write(end)))


TOKENS = "/api/admin/tokens"
ROUTES = (
    Route("GET", TOKENS, list_tokens, TokensDocument, "List API tokens, without their secrets.", Action.ADMINISTER),
    Route(
        "POST",
        TOKENS,
        create,
        NewTokenDocument,
        "Create an API token: name, scopes, to, expires, account. Only this response contains the secret.",
        Action.ADMINISTER,
        body=ApiTokenFields,
    ),
    Route(
        "DELETE",
        f"{TOKENS}/{{name}}",
        revoke,
        TokenDocument,
        "Revoke an API token.",
        Action.ADMINISTER,
        body=RequestFields,
    ),
)
