"""Results of another shape than the Bot API documents: updates one by one, sends as uncertain."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import telegram
from aiohttp import web
from aiohttp.test_utils import TestServer
from telegram.error import TelegramError

from notifybot.model.enums import MediaKind
from notifybot.posts.outcomes import Shown
from notifybot.rendering.parts import Delete, Edit, FileId, Media, Part, Send
from notifybot.telegram_api import bot as telegram_bot
from notifybot.telegram_api.bot import PollingBot
from notifybot.telegram_api.http import MaybeSent, Unreadable, WrongShape
from notifybot.telegram_api.results import (
    KEPT_CHARACTERS,
    UNREADABLE,
    UnreadableUpdate,
    check_shape,
    read_stored,
    read_update,
    shown,
    updates_of,
)

TOKEN = "123456:" + "A" * 35
BOT = telegram.Bot(TOKEN)
USER = {"id": 7, "is_bot": False, "first_name": "Eve"}
CHAT = {"id": 7, "type": "private"}
MESSAGE = {"message_id": 1, "date": 1, "chat": CHAT, "from": USER, "text": "hi"}
PRESS = {"id": "q", "from": USER, "chat_instance": "c", "data": "a1"}
MEMBER = {"user": USER, "status": "member"}
JOINED = {"chat": CHAT, "from": USER, "date": 1, "old_chat_member": MEMBER, "new_chat_member": MEMBER}

FILE = Media(MediaKind.PHOTO, "a.png", FileId("f"))
SEND, EDIT, DELETE = Send("7", Part("hi")), Edit("7", 5, Part("hi")), Delete("7", (5,))
PICTURE, ALBUM = Send("7", Part("hi", media=(FILE,))), Send("7", Part("hi", media=(FILE, FILE)))
POSTED = {"message_id": 5, "date": 1, "chat": CHAT}
ODD_RESULTS: list[tuple[Send | Edit | Delete, object]] = [
    (SEND, True),
    (SEND, None),
    (SEND, "5"),
    (SEND, []),
    (SEND, {}),
    (SEND, [POSTED, POSTED]),
    (SEND, POSTED | {"message_id": "5"}),
    (SEND, POSTED | {"message_id": True}),
    (SEND, POSTED | {"message_id": 0}),
    (SEND, POSTED | {"message_id": 2**70}),
    (SEND, POSTED | {"message_id": None}),
    (SEND, POSTED | {"chat": None}),
    (SEND, POSTED | {"chat": {"id": 0, "type": "private"}}),
    (SEND, POSTED | {"chat": {"id": 8, "type": "private"}}),
    (SEND, POSTED | {"chat": {"id": 7}}),
    (PICTURE, True),
    (PICTURE, [POSTED, POSTED]),
    (ALBUM, POSTED),
    (ALBUM, [POSTED]),
    (ALBUM, [POSTED, {"message_id": "6", "chat": CHAT}]),
    (ALBUM, [POSTED, True]),
    (EDIT, True),
    (EDIT, POSTED | {"message_id": 6}),
    (DELETE, False),
    (DELETE, POSTED),
    (DELETE, 1),
]


@pytest.mark.parametrize(("call", "result"), ODD_RESULTS)
def test_a_success_of_an_unexpected_shape_is_uncertain(call: Send | Edit | Delete, result: object) -> None:
    assert shown(call, result) == UNREADABLE
    assert UNREADABLE.uncertain


FITTING: list[tuple[Send | Edit | Delete, object, Shown]] = [
    (SEND, POSTED, Shown("7", (5,), "private")),
    (SEND, [POSTED], Shown("7", (5,), "private")),
    (Send("@eve", Part("hi")), POSTED, Shown("7", (5,), "private")),
    (EDIT, POSTED, Shown("7", (5,), "private")),
    (DELETE, True, Shown("7", ())),
    (PICTURE, POSTED | {"photo": [{"file_id": "s"}, {"file_id": "l"}]}, Shown("7", (5,), "private", ("l",))),
    (PICTURE, POSTED | {"document": {"file_id": "d"}}, Shown("7", (5,), "private", ("d",))),
    # It was sent; only its file cannot be sent again by its id.
    (PICTURE, POSTED, Shown("7", (5,), "private")),
    (PICTURE, POSTED | {"photo": []}, Shown("7", (5,), "private")),
    (PICTURE, POSTED | {"photo": [{"file_id": 3}]}, Shown("7", (5,), "private")),
    (ALBUM, [POSTED, POSTED | {"message_id": 6}], Shown("7", (5, 6), "private")),
]


@pytest.mark.parametrize(("call", "result", "outcome"), FITTING)
def test_a_success_shows_what_the_chat_has(call: Send | Edit | Delete, result: object, outcome: Shown) -> None:
    assert shown(call, result) == outcome


ODD_UPDATES: list[dict[str, Any]] = [
    {"message": MESSAGE | {"date": None}},
    {"message": MESSAGE | {"chat": None}},
    {"message": MESSAGE | {"chat": {"id": "7", "type": "private"}}},
    {"message": MESSAGE | {"text": ["hi"]}},
    {"message": MESSAGE | {"text": {"a": 1}}},
    {"message": MESSAGE | {"from": "Eve"}},
    {"message": MESSAGE | {"from": USER | {"id": "7"}}},
    {"message": None},
    {"message": [MESSAGE]},
    {"callback_query": {}},
    {"callback_query": None},
    {"callback_query": PRESS | {"id": 17}},
    {"callback_query": PRESS | {"data": 17}},
    {"callback_query": PRESS | {"from": None}},
    {"callback_query": PRESS | {"message": {"date": 1}}},
    {"callback_query": PRESS | {"message": "hi"}},
    {"my_chat_member": JOINED | {"chat": None}},
    {"my_chat_member": JOINED | {"new_chat_member": None}},
    {"my_chat_member": 17},
]


@pytest.mark.parametrize("odd", ODD_UPDATES, ids=json.dumps)
def test_an_update_of_an_unexpected_shape_keeps_its_id_and_its_bytes(odd: dict[str, Any]) -> None:
    found = read_update({"update_id": 9, **odd}, BOT)
    assert isinstance(found, UnreadableUpdate), found
    assert (found.update_id, json.loads(found.payload)) == (9, {"update_id": 9, **odd})
    assert found.problem
    assert "hi" not in found.problem


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE | {"date": "now"},
        {"message_id": 1, "chat": CHAT},
        MESSAGE | {"reply_to_message": {}},
        MESSAGE | {"entities": 17},
        MESSAGE | {"text": ["hi"]},
        MESSAGE | {"from": "Eve"},
        MESSAGE | {"reply_markup": {"inline_keyboard": "none"}},
        MESSAGE | {"photo": [17]},
    ],
)
def test_a_press_counts_although_its_message_cannot_be_read(message: object) -> None:
    found = read_update({"update_id": 9, "callback_query": PRESS | {"message": message}}, BOT)
    assert found.callback_query is not None
    assert found.callback_query.message is not None
    assert (found.callback_query.data, found.callback_query.message.message_id) == ("a1", 1)
    assert found.callback_query.message.chat.id == 7


@pytest.mark.parametrize("kept", [MESSAGE, {**MESSAGE, "new_in_2027": {"a": [1]}}])
def test_unknown_fields_and_kinds_are_no_obstacle(kept: object) -> None:
    assert read_update({"update_id": 9, "message": kept}, BOT).message is not None
    assert not isinstance(read_update({"update_id": 9, "new_in_2027": kept}, BOT), UnreadableUpdate)


def test_updates_come_in_the_order_of_their_ids_and_odd_ones_take_part() -> None:
    raw = [{"update_id": 3, "message": 17}, {"update_id": 1, "message": MESSAGE}, {"update_id": 2}]
    assert [update.update_id for update in updates_of(raw, BOT)] == [1, 2, 3]


@pytest.mark.parametrize(
    "result", [[17], [{}], [{"update_id": "9"}], [{"update_id": True}], [{"update_id": 2**70}], [[]]]
)
def test_updates_without_ids_cannot_be_confirmed(result: list[Any]) -> None:
    with pytest.raises(WrongShape):
        updates_of(result, BOT)
    assert [update.update_id for update in updates_of([*result, {"update_id": 9}], BOT)] == [9]


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("getUpdates", {}),
        ("getUpdates", None),
        ("getUpdates", True),
        ("getUpdates", "[]"),
        ("getMe", None),
        ("getMe", []),
        ("getMe", {"id": "7", "is_bot": True, "first_name": "b", "username": "b"}),
        ("getWebhookInfo", {}),
        ("getWebhookInfo", {"url": None}),
        ("getWebhookInfo", [""]),
    ],
)
def test_a_result_that_we_cannot_work_with_is_an_error(method: str, result: object) -> None:
    with pytest.raises(MaybeSent, match=f"the result of {method} has an unexpected shape"):
        check_shape(method, result)


@pytest.mark.parametrize("payload", ["", "{", "17", "{}", '{"update_id": 9, "message": 17}', "[" * 100_000])
def test_a_stored_update_that_cannot_be_read_keeps_its_id(payload: str) -> None:
    found = read_stored(9, payload, BOT)
    assert isinstance(found, UnreadableUpdate)
    assert found.update_id == 9


def body(*updates: str) -> bytes:
    return f'{{"ok":true,"result":[{",".join(updates)}]}}'.encode()


@asynccontextmanager
async def polling(
    answer: Callable[[dict[str, Any]], bytes],
) -> AsyncIterator[tuple[PollingBot, list[TelegramError]]]:
    """A bot whose getUpdates is answered with these bytes, and its errors."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=answer(await request.json()), content_type="application/json")

    app = web.Application()
    app.router.add_post("/{token}/getUpdates", handle)
    failures: list[TelegramError] = []
    async with TestServer(app) as server:
        bot = PollingBot(
            TOKEN,
            base_url=str(server.make_url("")).rstrip("/"),
            connections=1,
            known=None,
            on_fetch=lambda: None,
            on_error=failures.append,
        )
        yield bot, failures
        for request in bot._request:
            await request.shutdown()


def deep(number: int) -> str:
    return f'{{"update_id":{number},"message":{"[" * 200_000}{"]" * 200_000}}}'


def long(number: int) -> str:
    return f'{{"update_id":{number},"message":{{"text":"{"x" * 300_000}"}}}}'


def broken(number: int) -> str:
    return f'{{"update_id":{number},"message":nothing}}'


@pytest.mark.parametrize("odd", [deep, long, broken])
async def test_an_update_that_makes_the_whole_response_unreadable_is_passed_alone(
    odd: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_bot, "MAX_UPDATES_BYTES", 200_000)
    waiting = {number: f'{{"update_id":{number}}}' for number in range(1, 9)} | {3: odd(3), 5: odd(5)}

    def answer(asked: dict[str, Any]) -> bytes:
        return body(
            *[text for number, text in waiting.items() if number >= int(asked["offset"])][: int(asked["limit"])]
        )

    seen: list[telegram.Update] = []
    async with polling(answer) as (bot, failures):
        for _ in range(4 * len(waiting)):
            seen += await bot.get_updates(seen[-1].update_id + 1 if seen else 0)

    assert not failures
    assert [update.update_id for update in seen] == list(waiting)
    unreadable = [update for update in seen if isinstance(update, UnreadableUpdate)]
    assert [update.update_id for update in unreadable] == [3, 5]
    assert all(len(update.payload) <= KEPT_CHARACTERS for update in unreadable)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>please log in</html>",
        b'{"ok":true,"result":[',
        b'{"ok":true,"result":[{"message":{"text":"\\"update_id\\":7',
        b'{"ok":true,"result":{"update_id":7',
        b'{"ok":true,"result":[{"update_id":-7,',
        b'{"ok":true,"result":[{"update_id":99999999999999999999,',
        b"",
        b'[{"update_id":7}]',
    ],
)
async def test_a_response_that_names_no_update_confirms_nothing(page: bytes) -> None:
    async with polling(lambda _: page) as (bot, failures):
        assert await bot.get_updates(0, timeout=timedelta(milliseconds=1)) == ()
    assert [type(error) for error in failures] == [Unreadable] or isinstance(failures[0], WrongShape)
