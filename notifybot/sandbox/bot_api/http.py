"""Serve the Bot API: read parameters, apply faults, run the method, respond in Telegram's envelope, log."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import NoReturn

from aiohttp import ClientError, web

from notifybot.sandbox.bot_api.access import resolve_chat_id
from notifybot.sandbox.bot_api.call_log import Call
from notifybot.sandbox.bot_api.fetch import fetch_all
from notifybot.sandbox.bot_api.media import references
from notifybot.sandbox.bot_api.methods import GET_UPDATES_PARAMETERS, call_method, check_understood
from notifybot.sandbox.bot_api.uploads import Body, read_body
from notifybot.sandbox.bot_api.validation import check, known_method, table
from notifybot.sandbox.bot_api.wire import ApiError, Params, bad_request, too_many_requests
from notifybot.sandbox.sandbox import Sandbox
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.faults import FaultKind, FaultSpec

BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n"
LONGEST_HANG_S = 3600.0


class ConnectionCut(Exception):
    """The connection ends without a response; the text is the reason, for the log."""


class HtmlPage(Exception):
    """The response is an HTML page from the proxy in front of the Bot API."""


@dataclass(slots=True)
class Request:
    """A call in progress. `at` is its arrival in Unix seconds; `chat_id` is a number if known."""

    at: float
    method: str
    given: JsonObject = field(default_factory=dict)
    chat_id: int | str | None = None
    result: object = None


async def answer_call(http: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """Respond to a Bot API request, or cut its connection, and log it."""
    call = Request(sandbox.now(), http.match_info["method"])
    try:
        call.result = await _run(http, sandbox, call)
        body: JsonObject = {"ok": True, "result": call.result}
        status = 200
    except ApiError as error:
        status, body = error.code, _refusal(error)
    except HtmlPage:
        _log(sandbox, call, 502, "an HTML page")
        return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
    except ConnectionCut as cut:
        _log(sandbox, call, 0, str(cut))
        return _cut(http)
    except asyncio.CancelledError:
        _log(sandbox, call, 0, "the bot hung up")
        raise
    _log(sandbox, call, status, None if status == 200 else str(body["description"]))
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


async def answer_download(http: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """Serve a file by its file_path. Faults for every method, or for `download`, apply here too."""
    call = Request(sandbox.now(), "download")
    try:
        _check_token(http.match_info["token"], sandbox)
        await _meet(sandbox, call, sandbox.strike(call.method, None))
    except ApiError as error:
        return web.json_response(_refusal(error), status=error.code)
    except HtmlPage:
        return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
    except ConnectionCut:
        return _cut(http)
    media = sandbox.world.files.find_download(http.match_info["path"])
    if media is None:
        return web.json_response(_refusal(ApiError(404, "Not Found")), status=404)
    return web.FileResponse(media.content.path, headers={"Content-Type": "application/octet-stream"})


async def _run(http: web.Request, sandbox: Sandbox, call: Request) -> object:
    _check_token(http.match_info["token"], sandbox)
    call.method = known_method(call.method)
    body = await _received(http, sandbox)
    signatures = table().methods[call.method].items()
    body.attach([name for name, signature in signatures if "InputFile" in signature.types])
    call.given = body.given
    call.chat_id = _chat_of(sandbox, call.given)
    struck = sandbox.strike(call.method, _number(call.chat_id))
    await _meet(sandbox, call, struck)
    _check_banned_method(sandbox, call)
    params = await _with_files(sandbox, call.method, check(call.method, call.given), body)
    if call.method == "getUpdates":
        check_understood(call.method, params, GET_UPDATES_PARAMETERS)
        call.result = await sandbox.polling.get_updates(sandbox.world, params, lambda: _check_reachable(sandbox))
    else:
        call.result = call_method(sandbox.world, call.method, params)
    if any(spec.kind is FaultKind.CUT_AFTER for spec in struck):
        raise ConnectionCut("accepted, then the connection was cut")
    return call.result


def _check_token(token: str, sandbox: Sandbox) -> None:
    if ":" not in token:
        raise ApiError(404, "Not Found")
    if token != sandbox.token or sandbox.world.is_token_revoked:
        raise ApiError(401, "Unauthorized")
    if sandbox.world.has_logged_out:
        raise bad_request("Logged out")


async def _meet(sandbox: Sandbox, call: Request, struck: list[FaultSpec]) -> None:
    """Apply the faults that come before the method, slow ones first."""
    for spec in struck:
        if spec.kind is FaultKind.SLOW:
            await asyncio.sleep(spec.seconds or 0.0)
    for spec in struck:
        match spec.kind:
            case FaultKind.AWAY | FaultKind.CUT_BEFORE:
                raise ConnectionCut("the connection was cut before the call was accepted")
            case FaultKind.HANG:
                await sandbox.interrupted.wait(LONGEST_HANG_S)
                raise ConnectionCut("never answered")
            case FaultKind.HTML:
                raise HtmlPage
            case FaultKind.ERROR:
                raise ApiError(spec.error_code, spec.description)
            case FaultKind.FLOOD:
                _start_flood(sandbox, spec)


def _start_flood(sandbox: Sandbox, spec: FaultSpec) -> NoReturn:
    limits = sandbox.world.limits
    limits.ban(spec.retry_after, sandbox.now(), chat_id=spec.chat_id, method=spec.method)
    raise too_many_requests(spec.retry_after)


def _check_banned_method(sandbox: Sandbox, call: Request) -> None:
    """Refuse an unpaced call of a banned method; `pace` checks the others."""
    limits = sandbox.world.limits
    if limits.bans and (
        seconds := limits.banned_for(call.method, _number(call.chat_id), sandbox.now(), is_paced=False)
    ):
        raise too_many_requests(seconds)


def _check_reachable(sandbox: Sandbox) -> None:
    """End a waiting getUpdates when Telegram goes away, its token is revoked, or the sandbox closes."""
    _check_token(sandbox.token, sandbox)
    if sandbox.is_closing or (sandbox.faults and sandbox.faults.is_away("getUpdates", sandbox.now())):
        raise ConnectionCut("the connection was cut while waiting")


async def _received(http: web.Request, sandbox: Sandbox) -> Body:
    """Read the whole body; an incomplete one is no call."""
    try:
        return await read_body(http, sandbox.world.files.spool)
    except (ClientError, ConnectionError, EOFError) as error:
        raise ConnectionCut("the body broke off") from error


async def _with_files(sandbox: Sandbox, method: str, params: Params, body: Body) -> Params:
    """Add the uploaded and fetched files to the parameters."""
    wanted = references(params)
    body.check_used(method, wanted)
    fetched = await fetch_all(sandbox.web, wanted, sandbox.world.files.spool)
    return replace(params, files=body.files() | fetched)


def _chat_of(sandbox: Sandbox, given: JsonObject) -> int | str | None:
    chat_id = given.get("chat_id")
    if not isinstance(chat_id, int | str):
        return None
    found = resolve_chat_id(sandbox.world, chat_id)
    return chat_id if found is None else found


def _number(chat_id: int | str | None) -> int | None:
    return chat_id if isinstance(chat_id, int) else None


def _refusal(error: ApiError) -> JsonObject:
    body: JsonObject = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return body


def _cut(http: web.Request) -> web.Response:
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


def _log(sandbox: Sandbox, call: Request, status: int, description: str | None) -> None:
    first = call.result[0] if isinstance(call.result, list) and call.result else call.result
    message_id = first.get("message_id") if isinstance(first, dict) else None
    sandbox.log(
        Call(
            n=sandbox.calls.next_n,
            at=call.at,
            method=call.method,
            chat_id=call.chat_id,
            params=call.given,
            status=status,
            description=description,
            message_id=message_id if isinstance(message_id, int) else None,
        )
    )
