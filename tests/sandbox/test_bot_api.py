"""Calls and responses: token, method names, transports, parameters, types."""

import json
from io import BytesIO

import aiohttp
import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api

HELLO = {"text": "hello"}


async def test_get_me_describes_the_bot(api: Api, sandbox: Sandbox) -> None:
    me = (await api("getMe")).result
    assert me["id"] == sandbox.bot.id
    assert me["is_bot"] is True
    assert me["can_read_all_group_messages"] is False


async def test_method_names_ignore_case(api: Api) -> None:
    assert (await api("GETME")).status == 200


@pytest.mark.parametrize(
    ("token", "refusal"),
    [("600000001:wrong", "401 Unauthorized"), ("no-token-at-all", "404 Not Found")],
)
async def test_a_wrong_token_is_refused(api: Api, token: str, refusal: str) -> None:
    assert (await api.post(f"/bot{token}/getMe")).refusal == refusal


async def test_an_unknown_method_is_not_found(api: Api) -> None:
    assert (await api("getYou")).refusal == "404 Not Found"


async def test_a_method_that_only_telegram_has_is_named(api: Api, anna: User) -> None:
    refusal = (await api("sendDice", chat_id=anna.id)).refusal
    assert refusal == "501 Not Implemented: the sandbox does not have sendDice"


async def test_a_parameter_that_only_telegram_has_is_named(api: Api, anna: User) -> None:
    refusal = (await api("sendMessage", chat_id=anna.id, text="x", message_effect_id="5")).refusal
    assert refusal == '501 Not Implemented: the sandbox does not have the parameter "message_effect_id" of sendMessage'


async def test_a_call_may_come_in_the_query(api: Api, anna: User, sandbox: Sandbox) -> None:
    query = {"chat_id": str(anna.id), "text": "by query"}
    answer = await api.get(f"/bot{sandbox.token}/sendMessage", params=query)
    assert answer.result["text"] == "by query"


async def test_a_call_may_come_as_a_form(api: Api, anna: User) -> None:
    markup = json.dumps({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]})
    answer = await api.form("sendMessage", chat_id=str(anna.id), text="grüße 🎉", reply_markup=markup)
    assert answer.result["text"] == "grüße 🎉"
    assert answer.result["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "y"


async def test_a_call_may_come_as_multipart(api: Api, anna: User, sandbox: Sandbox) -> None:
    with aiohttp.MultipartWriter("form-data") as writer:
        for name, value in {"chat_id": str(anna.id), "text": "in parts"}.items():
            writer.append(value).set_content_disposition("form-data", name=name)
    answer = await api.post(f"/bot{sandbox.token}/sendMessage", data=writer)
    assert answer.result["text"] == "in parts"


async def test_the_body_wins_over_the_query(api: Api, anna: User, sandbox: Sandbox) -> None:
    path = f"/bot{sandbox.token}/sendMessage?text=query"
    assert (await api.post(path, json={"chat_id": anna.id, "text": "body"})).result["text"] == "body"


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (HELLO | {"unheard_of": 1}, 'sendMessage has no parameter "unheard_of"'),
        (HELLO | {"disable_notification": "perhaps"}, 'parameter "disable_notification" must be of type Boolean'),
        (HELLO | {"message_thread_id": "first"}, 'parameter "message_thread_id" must be of type Integer'),
        (HELLO | {"message_thread_id": True}, 'parameter "message_thread_id" must be of type Integer'),
        (HELLO | {"reply_markup": "{"}, "can't parse reply keyboard markup JSON object"),
        (
            HELLO | {"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_dada": "x"}]]}},
            'parameter "reply_markup" has a field "inline_keyboard" of InlineKeyboardMarkup that has an unknown field '
            '"callback_dada" in InlineKeyboardButton',
        ),
        (
            HELLO | {"reply_markup": {"inline_keyboard": [[{"callback_data": "x"}]]}},
            'parameter "reply_markup" has a field "inline_keyboard" of InlineKeyboardMarkup that lacks a required '
            "field of InlineKeyboardButton",
        ),
        ({}, "message text is empty"),
        ({"text": ""}, "message text is empty"),
        ({"text": "\ud83d"}, "strings must be encoded in UTF-8"),
    ],
)
async def test_a_malformed_call_is_refused(api: Api, anna: User, params: dict[str, object], refusal: str) -> None:
    assert (await api("sendMessage", chat_id=anna.id, **params)).refusal == f"400 Bad Request: {refusal}"


async def test_a_call_without_a_chat_is_refused(api: Api) -> None:
    assert (await api("sendMessage", text="x")).refusal == "400 Bad Request: chat_id is empty"


async def test_a_form_that_is_not_utf8_is_refused(api: Api, anna: User, sandbox: Sandbox) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"chat_id={anna.id}&text=%ff%fe".encode()
    answer = await api.post(f"/bot{sandbox.token}/sendMessage", data=body, headers=headers)
    assert answer.refusal == "400 Bad Request: strings must be encoded in UTF-8"


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(api: Api, sandbox: Sandbox, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await api.post(f"/bot{sandbox.token}/getMe", data=body, headers=headers)
    assert answer.status == 400


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_body_without_its_parts_is_refused(api: Api, sandbox: Sandbox, kind: str) -> None:
    headers = {"Content-Type": kind}
    assert (await api.post(f"/bot{sandbox.token}/getMe", data=b"no parts", headers=headers)).status == 400


async def test_a_huge_body_is_refused(api: Api, sandbox: Sandbox) -> None:
    answer = await api.post(f"/bot{sandbox.token}/getMe", data=BytesIO(bytes(64 * 1024 * 1024 + 1)))
    assert answer.refusal == "413 Request Entity Too Large"


async def test_numbers_and_booleans_may_be_text(api: Api, anna: User) -> None:
    answer = await api.form("sendMessage", chat_id=str(anna.id), text="x", protect_content="true")
    assert answer.result["has_protected_content"] is True


async def test_after_log_out_nothing_works(api: Api) -> None:
    assert (await api("logOut")).result is True
    assert (await api("getMe")).refusal == "400 Bad Request: Logged out"


async def test_every_call_is_logged(api: Api, anna: User, sandbox: Sandbox) -> None:
    await api("sendMessage", chat_id=str(anna.id), text="one")
    await api("sendMessage", chat_id=1, text="two")
    first, second = sandbox.calls
    assert (first.method, first.chat_id, first.status, first.message_id) == ("sendMessage", anna.id, 200, 2)
    assert first.params["text"] == "one"
    assert (second.chat_id, second.status, second.description) == (1, 400, "Bad Request: chat not found")
