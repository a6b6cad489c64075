"""Outcome of each response from Telegram."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from notifybot.posts.outcomes import (
    BotRefused,
    ChatMoved,
    GiveUp,
    Gone,
    HoldOff,
    Outcome,
    Reformat,
    Shown,
    Target,
    TryAgain,
)
from notifybot.rendering.parts import Edit, Entity, Part, PostButton, Send, Stored
from notifybot.sandbox import Sandbox, serving
from notifybot.telegram_api.http import AiohttpRequest, MaybeSent, NeverSent, Timeouts
from notifybot.telegram_api.refusals import MAX_REASON, outcome_of
from notifybot.telegram_api.sender import TelegramSender
from notifybot.telegram_api.verdict import refusal_of_bot

TOKEN = "123456:" + "A" * 35


REFUSED = BotRefused(str(refusal_of_bot(InvalidToken("Unauthorized"))))
UNREACHABLE = (GiveUp, True)
REFUSED_HERE = (GiveUp, False)

REFUSED_BUTTONS = (Reformat, True)
DESCRIPTIONS = {
    "message to edit not found": (Gone, Target.MESSAGE),
    "MSG_ID_INVALID": (Gone, Target.MESSAGE),
    "there is no text in the message to edit": (Gone, Target.MESSAGE),
    "there is no caption in the message to edit": (Gone, Target.MESSAGE),
    "MESSAGE_ID_INVALID": (Gone, Target.MESSAGE),
    "message can't be edited": (Gone, Target.MESSAGE),
    "MESSAGE_EDIT_TIME_EXPIRED": (Gone, Target.MESSAGE),
    "MESSAGE_AUTHOR_REQUIRED": (Gone, Target.MESSAGE),
    "query is too old and response timeout expired or query ID is invalid": (Gone, Target.MESSAGE),
    "QUERY_ID_INVALID": (Gone, Target.MESSAGE),
    "message thread not found": (Gone, Target.TOPIC),
    "TOPIC_CLOSED": (Gone, Target.TOPIC),
    "TOPIC_DELETED": (Gone, Target.TOPIC),
    "TOPIC_ID_INVALID": (Gone, Target.TOPIC),
    "wrong file identifier/HTTP URL specified": (Gone, Target.FILE),
    "wrong remote file identifier specified: Wrong padding in the string": (Gone, Target.FILE),
    "wrong file_id or the file is temporarily unavailable": (Gone, Target.FILE),
    "invalid file_id": (Gone, Target.FILE),
    "FILE_REFERENCE_EXPIRED": (Gone, Target.FILE),
    'can\'t parse entities: Unsupported start tag "x" at byte offset 0': (Reformat, False),
    "can't parse entities: Can't find end of the entity starting at byte offset 4": (Reformat, False),
    'can\'t parse message entity: field "type" not found': (Reformat, False),
    "ENTITY_BOUNDS_INVALID": (Reformat, False),
    "ENTITIES_TOO_LONG": (Reformat, False),
    "entity beginning at UTF-16 offset 9 ends after the end of the text at UTF-16 offset 3": (Reformat, False),
    "entity begins after the end of the text at UTF-16 offset 9": (Reformat, False),
    "entity URL 'http://x y' is invalid: Wrong HTTP URL": (Reformat, False),
    "chat not found": UNREACHABLE,
    "user not found": UNREACHABLE,
    "PEER_ID_INVALID": UNREACHABLE,
    "CHAT_ID_INVALID": UNREACHABLE,
    "CHANNEL_PRIVATE": UNREACHABLE,
    "CHANNEL_INVALID": UNREACHABLE,
    "CHAT_FORBIDDEN": UNREACHABLE,
    "USER_IS_BLOCKED": UNREACHABLE,
    "INPUT_USER_DEACTIVATED": UNREACHABLE,
    "USER_DEACTIVATED": UNREACHABLE,
    "USER_BANNED_IN_CHANNEL": UNREACHABLE,
    "group chat was deactivated": UNREACHABLE,
    "the group chat was deleted": UNREACHABLE,
    "group chat was upgraded to a supergroup chat": UNREACHABLE,
    "bot was kicked from the supergroup chat": UNREACHABLE,
    "bot is not a member of the channel chat": UNREACHABLE,
    "not enough rights to send text messages to the chat": UNREACHABLE,
    "have no rights to send a message": UNREACHABLE,
    "need administrator rights in the channel chat": UNREACHABLE,
    "CHAT_WRITE_FORBIDDEN": UNREACHABLE,
    "CHAT_SEND_PLAIN_FORBIDDEN": UNREACHABLE,
    "CHAT_RESTRICTED": UNREACHABLE,
    "CHAT_ADMIN_REQUIRED": UNREACHABLE,
    "not enough rights to send photos to the chat": REFUSED_HERE,
    "not enough rights to send documents to the chat": REFUSED_HERE,
    "CHAT_SEND_PHOTOS_FORBIDDEN": REFUSED_HERE,
    "message is too long": REFUSED_HERE,
    "MESSAGE_TOO_LONG": REFUSED_HERE,
    "message text is empty": REFUSED_HERE,
    "strings must be encoded in UTF-8": REFUSED_HERE,
    "BUTTON_DATA_INVALID": REFUSED_BUTTONS,
    "BUTTON_URL_INVALID": REFUSED_BUTTONS,
    "BUTTON_TYPE_INVALID": REFUSED_BUTTONS,
    "BUTTON_COPY_TEXT_INVALID": REFUSED_BUTTONS,
    "BUTTON_USER_PRIVACY_RESTRICTED": REFUSED_BUTTONS,
    "REPLY_MARKUP_TOO_LONG": REFUSED_BUTTONS,
    "REPLY_MARKUP_INVALID": REFUSED_BUTTONS,
    "reply markup is too long": REFUSED_BUTTONS,
    "can't parse reply keyboard markup JSON object": REFUSED_BUTTONS,
    "inline keyboard expected": REFUSED_BUTTONS,
    "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard": REFUSED_BUTTONS,
    "inline keyboard button URL 'x' is invalid: Wrong HTTP URL": REFUSED_BUTTONS,
    "PHOTO_INVALID_DIMENSIONS": (Gone, Target.FILE),
    "something that nobody has seen before": REFUSED_HERE,
}


@pytest.mark.parametrize(("description", "meaning"), DESCRIPTIONS.items(), ids=DESCRIPTIONS.keys())
def test_each_400_means_one_outcome(description: str, meaning: tuple[type[Outcome], object]) -> None:
    outcome = outcome_of(BadRequest(description))
    kind, detail = meaning
    reason = description
    match outcome:
        case Gone(what=what):
            assert (kind, detail, outcome.reason) == (Gone, what, reason)
        case GiveUp(is_chat_unreachable=is_unreachable):
            assert (kind, detail, outcome.reason) == (GiveUp, is_unreachable, reason)
        case Reformat(of_buttons=of_buttons):
            assert (kind, detail, outcome.reason) == (Reformat, of_buttons, reason)
        case _:
            pytest.fail(f"{outcome} is not in the table")


@pytest.mark.parametrize(
    "description",
    [
        "bot was blocked by the user",
        "user is deactivated",
        "bot was kicked from the group chat",
        "bot is not a member of the channel chat",
        "bot can't initiate conversation with a user",
        "bot can't send messages to bots",
        "the group chat was deleted",
    ],
)
def test_each_403_makes_the_chat_unreachable(description: str) -> None:
    assert outcome_of(Forbidden(f"Forbidden: {description}")) == GiveUp(description, is_chat_unreachable=True)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ChatMigrated(-1001234567890), ChatMoved("-1001234567890")),
        (InvalidToken("Unauthorized"), REFUSED),
        (NeverSent("connection refused"), TryAgain("connection refused", uncertain=False)),
        (MaybeSent("the connection was cut"), TryAgain("the connection was cut", uncertain=True)),
        (TimedOut(), TryAgain("Timed out", uncertain=True)),
        (NetworkError("Bad Gateway"), TryAgain("Bad Gateway", uncertain=True)),
        (NetworkError("Internal Server Error: restart"), TryAgain("Internal Server Error: restart", uncertain=True)),
        (NetworkError("Request Entity Too Large"), GiveUp("Request Entity Too Large", is_chat_unreachable=False)),
        (NetworkError("Too Many Requests: retry later"), HoldOff(timedelta(seconds=5))),
        (
            Conflict("Conflict: terminated by other getUpdates request"),
            TryAgain("terminated by other getUpdates request", uncertain=False),
        ),
        (TelegramError("Invalid server response"), TryAgain("Invalid server response", uncertain=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_exception_means_one_outcome(error: TelegramError, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


@pytest.mark.parametrize("is_opted_in", ["true", "false"])
@pytest.mark.filterwarnings("ignore:.*retry_after.*")
def test_a_flood_wait_of_any_type_is_respected(monkeypatch: pytest.MonkeyPatch, is_opted_in: str) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", is_opted_in)
    assert outcome_of(RetryAfter(17)) == HoldOff(timedelta(seconds=17))


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Bad Request: PEER_ID_INVALID"),
        (400, "Bad Request: chat not found"),
        (400, 'Bad Request: can\'t parse entities: Unsupported start tag "B-1" at byte offset 0'),
        (400, "Error: FILE_PARTS_INVALID"),
        (400, "FLOOD_WAIT_3"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "CHAT_SEND_PLAIN_FORBIDDEN"),
        (409, "Conflict: terminated by other getUpdates request"),
        (413, "Request Entity Too Large"),
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
    ],
)
async def test_a_reason_keeps_its_case(status: int, description: str) -> None:
    payload = json.dumps({"ok": False, "error_code": status, "description": description}).encode()
    with pytest.raises(TelegramError) as refused:
        await _Canned(status, payload).post("https://api.telegram.org/x")
    outcome = outcome_of(refused.value)
    assert getattr(outcome, "reason", None) == re.sub("^(Bad Request|Error|Forbidden|Conflict): ", "", description)


def test_a_proxys_page_keeps_its_case_too() -> None:
    reason = "HTTP 413, not a Telegram response"
    assert outcome_of(NeverSent(reason)) == TryAgain(reason, uncertain=False)


class _Canned(AiohttpRequest):
    """Gets one response from nowhere."""

    def __init__(self, status: int, payload: bytes) -> None:
        super().__init__()
        self._response = status, payload

    async def do_request(self, *_: object, **__: object) -> tuple[int, bytes]:
        return self._response


def test_a_reason_is_short_and_holds_no_token() -> None:
    outcome = outcome_of(BadRequest(f"nothing at /bot{TOKEN}/sendMessage " + "x" * 1000))
    assert isinstance(outcome, GiveUp)
    assert TOKEN not in outcome.reason
    assert len(outcome.reason) == MAX_REASON


@dataclass(frozen=True)
class Scene:
    """A sandbox with Anna, who has written to the bot, a group, and a sender that talks to it."""

    sandbox: Sandbox
    sender: TelegramSender
    anna: str
    group: str

    async def send(self, text: str = "hi", chat_id: str | None = None) -> Outcome:
        return await self.sender.show(Send(chat_id or self.anna, Part(text)))


def no_files(stored: Stored) -> IO[bytes]:
    raise FileNotFoundError(stored.sha256)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    sandbox = Sandbox(limits=False)
    anna = sandbox.add_user("Anna", username="anna")
    sandbox.say(anna, "/start")
    group = sandbox.add_chat("group", "Ops", members=[anna])
    request = AiohttpRequest(timeouts=Timeouts(connect=1, write=0.1, read=0.3))
    async with serving(sandbox) as url:
        sender = TelegramSender(Bot(sandbox.token, base_url=f"{url}/bot", request=request), no_files)
        yield Scene(sandbox, sender, str(anna.id), str(group.id))
        await request.shutdown()


async def test_a_part_is_posted_unchanged(scene: Scene) -> None:
    part = Part(
        "\N{FIRE} disk full on web1",
        (
            Entity("bold", 8, 4),
            Entity("text_link", 16, 4, url="https://example.org/"),
            Entity("pre", 3, 4, language="sh"),
        ),
        (
            (
                PostButton("Acknowledge", callback_data="a1", style="success"),
                PostButton("Graph", url="https://example.org/g"),
            ),
            (PostButton("Copy", copy="web1"),),
        ),
    )
    outcome = await scene.sender.show(Send(scene.group, part, silent=True))
    message = scene.sandbox.messages(int(scene.group))[-1]
    assert outcome == Shown(scene.group, (message.message_id,), "group")
    assert (message.text, message.is_silent) == (part.text, True)
    assert {(entity["type"], entity["offset"], entity["length"]) for entity in message.entities} >= {
        ("bold", 8, 4),
        ("pre", 3, 4),
        ("text_link", 16, 4),
    }
    assert message.button_texts == ["Acknowledge", "Graph", "Copy"]
    assert message.buttons[0][0]["style"] == "success"
    assert message.link_preview == {"is_disabled": True}


async def test_people_emoji_and_moments_are_named_as_telegram_wants_them(scene: Scene) -> None:
    entities = (
        Entity("text_link", 0, 4, url=f"tg://user?id={scene.anna}"),
        Entity("custom_emoji", 5, 2, url="tg://emoji?id=5368324170671202286"),
        Entity("date_time", 8, 5, url="tg://time?unix=1647531900&format=wDT"),
        Entity("date_time", 14, 4, url="tg://time?unix=1647531900&format="),
    )

    await scene.sender.show(Send(scene.group, Part("Anna \N{FIRE} 22:45 then", entities)))

    mention, *others = scene.sandbox.messages(int(scene.group))[-1].entities
    assert mention["type"] == "text_mention"
    assert others == [
        {"type": "custom_emoji", "offset": 5, "length": 2, "custom_emoji_id": "5368324170671202286"},
        {"type": "date_time", "offset": 8, "length": 5, "unix_time": 1647531900, "date_time_format": "wDT"},
        {"type": "date_time", "offset": 14, "length": 4, "unix_time": 1647531900},
    ]


async def test_text_that_looks_like_markup_is_posted_unchanged(scene: Scene) -> None:
    text = "<b>*not* _markup_ & `nothing` [else](x)"
    assert isinstance(await scene.send(text), Shown)
    assert scene.sandbox.messages(int(scene.anna))[-1].text == text


async def test_a_name_leads_to_the_chats_own_id(scene: Scene) -> None:
    channel = scene.sandbox.add_chat("channel", "News", username="ops_news")
    outcome = await scene.send(chat_id="@ops_news")
    assert outcome == Shown(str(channel.id), (scene.sandbox.messages(channel)[-1].message_id,), "channel")


async def test_an_edit_changes_the_message_and_takes_its_buttons_away(scene: Scene) -> None:
    button = ((PostButton("Acknowledge", callback_data="a1"),),)
    sent = await scene.sender.show(Send(scene.anna, Part("firing", buttons=button)))
    assert isinstance(sent, Shown)
    assert await scene.sender.show(Edit(scene.anna, sent.message_ids[0], Part("resolved"))) == sent
    message = scene.sandbox.messages(int(scene.anna))[-1]
    assert (message.text, message.buttons) == ("resolved", [])


async def test_an_edit_that_changes_nothing_is_shown(scene: Scene) -> None:
    sent = await scene.send("same")
    assert isinstance(sent, Shown)
    outcome = await scene.sender.show(Edit(scene.anna, sent.message_ids[0], Part("same")))
    assert outcome == Shown(scene.anna, sent.message_ids)


async def test_an_edit_of_a_deleted_message_finds_it_gone(scene: Scene) -> None:
    sent = await scene.send()
    assert isinstance(sent, Shown)
    scene.sandbox.remove(scene.sandbox.message(int(scene.anna), sent.message_ids[0]))
    outcome = await scene.sender.show(Edit(scene.anna, sent.message_ids[0], Part("new")))
    assert outcome == Gone(Target.MESSAGE, "message to edit not found")


async def test_a_closed_or_missing_topic_is_gone(scene: Scene) -> None:
    forum = scene.sandbox.add_chat("supergroup", "Forum", forum=True)
    topic = scene.sandbox.add_topic(forum, "Disks")
    assert isinstance(await scene.sender.show(Send(str(forum.id), Part("hi"), thread_id=topic)), Shown)
    scene.sandbox.close_topic(forum, topic)
    for thread_id in (topic, topic + 99):
        outcome = await scene.sender.show(Send(str(forum.id), Part("hi"), thread_id=thread_id))
        assert isinstance(outcome, Gone)
        assert outcome.what is Target.TOPIC


async def test_a_chat_that_cannot_be_reached_is_given_up_as_unreachable(scene: Scene) -> None:
    stranger = scene.sandbox.add_user("Bob")
    scene.sandbox.block(int(scene.anna))
    scene.sandbox.kick(int(scene.group))
    for chat_id in (scene.anna, scene.group, str(stranger.id), "-100999", "@nobody_here"):
        outcome = await scene.send(chat_id=chat_id)
        assert isinstance(outcome, GiveUp), chat_id
        assert outcome.is_chat_unreachable, outcome


@pytest.mark.parametrize("text", ["", "   ", "x" * 4097, "\N{FIRE}" * 2049])
async def test_a_text_that_telegram_refuses_is_given_up_without_blaming_the_chat(scene: Scene, text: str) -> None:
    outcome = await scene.send(text)
    assert isinstance(outcome, GiveUp)
    assert not outcome.is_chat_unreachable


async def test_a_text_of_exactly_the_limit_is_shown(scene: Scene) -> None:
    assert isinstance(await scene.send("\N{FIRE}" * 2048), Shown)


async def test_a_group_that_became_a_supergroup_has_moved(scene: Scene) -> None:
    to = scene.sandbox.migrate(int(scene.group))
    assert await scene.send(chat_id=scene.group) == ChatMoved(str(to.id))


FAULTS: dict[str, tuple[Callable[[Sandbox], object], Outcome | bool]] = {
    "flood": (lambda sandbox: sandbox.fault("flood", retry_after=17), HoldOff(timedelta(seconds=17))),
    "away": (lambda sandbox: sandbox.fault("away"), True),
    "cut_before": (lambda sandbox: sandbox.fault("cut_before"), True),
    "cut_after": (lambda sandbox: sandbox.fault("cut_after"), True),
    "html": (lambda sandbox: sandbox.fault("html"), True),
    "hang": (lambda sandbox: sandbox.fault("hang"), True),
    "slow": (lambda sandbox: sandbox.fault("slow", seconds=30), True),
    "500": (lambda sandbox: sandbox.fault("error"), True),
    "409": (lambda sandbox: sandbox.fault("error", error_code=409, description="Conflict: x"), False),
    "403": (
        lambda sandbox: sandbox.fault("error", error_code=403, description="Forbidden: bot was blocked by the user"),
        GiveUp("bot was blocked by the user", is_chat_unreachable=True),
    ),
    "401": (
        lambda sandbox: sandbox.fault("error", error_code=401, description="Unauthorized"),
        REFUSED,
    ),
    "413": (
        lambda sandbox: sandbox.fault("error", error_code=413, description="Request Entity Too Large"),
        GiveUp("Request Entity Too Large", is_chat_unreachable=False),
    ),
    "400 entities": (
        lambda sandbox: sandbox.fault("error", error_code=400, description="Bad Request: can't parse entities: x"),
        Reformat("can't parse entities: x"),
    ),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS.keys())
async def test_each_fault_of_the_sandbox_is_an_outcome(
    scene: Scene, fault: Callable[[Sandbox], object], expected: Outcome | bool
) -> None:
    fault(scene.sandbox)
    outcome = await scene.send()
    if isinstance(expected, bool):
        assert isinstance(outcome, TryAgain)
        assert outcome.uncertain is expected
    else:
        assert outcome == expected
    assert scene.sandbox.token not in repr(outcome)


async def test_a_cut_after_acceptance_still_shows_the_message(scene: Scene) -> None:
    scene.sandbox.fault("cut_after", times=1)
    assert await scene.send("once") == TryAgain("the connection was closed", uncertain=True)
    assert scene.sandbox.messages(int(scene.anna))[-1].text == "once"


async def test_a_telegram_that_is_gone_was_certainly_not_reached(scene: Scene) -> None:
    sandbox = Sandbox()
    request = AiohttpRequest()
    async with serving(sandbox) as url:
        sender = TelegramSender(Bot(sandbox.token, base_url=f"{url}/bot", request=request), no_files)
    assert await sender.show(Send("1", Part("hi"))) == TryAgain("connection refused", uncertain=False)
    await request.shutdown()


async def test_a_wrong_token_is_the_bots_trouble(scene: Scene) -> None:
    request = AiohttpRequest()
    async with serving(scene.sandbox) as url:
        sender = TelegramSender(Bot(TOKEN, base_url=f"{url}/bot", request=request), no_files)
        assert await sender.show(Send(scene.anna, Part("hi"))) == REFUSED
        await request.shutdown()


async def test_a_press_is_answered_once_and_at_most_200_units_long(scene: Scene) -> None:
    button = ((PostButton("Acknowledge", callback_data="a1"),),)
    await scene.sender.show(Send(scene.anna, Part("firing", buttons=button)))
    query_id = scene.sandbox.press(int(scene.anna), scene.sandbox.messages(int(scene.anna))[-1])
    assert await scene.sender.answer_press(query_id, "\N{FIRE}" * 300, show_alert=True) is None
    call = list(scene.sandbox.calls)[-1]
    assert call.params["text"] == "\N{FIRE}" * 100


async def test_a_press_that_is_too_old_is_gone(scene: Scene) -> None:
    outcome = await scene.sender.answer_press("123456", None)
    assert isinstance(outcome, Gone)
    assert outcome.what is Target.MESSAGE


@pytest.mark.parametrize("result", [True, {}, {"message_id": 7}, [1], "text"])
async def test_a_result_in_no_known_form_is_uncertain(result: object) -> None:
    async def answer_nonsense(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.router.add_post("/{anything:.*}", answer_nonsense)
    request = AiohttpRequest()
    async with TestServer(app) as server:
        sender = TelegramSender(Bot(TOKEN, base_url=f"{server.make_url('/')}bot", request=request), no_files)
        outcome = await sender.show(Send("1", Part("hi")))
        await request.shutdown()
    assert outcome == TryAgain("an unreadable response", uncertain=True)
