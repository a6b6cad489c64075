"""The control API for tests and the chat page."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import aiohttp
import pytest

from notifybot.sandbox import Refused, Sandbox, serving
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api, File
from tests.sandbox.pictures import png

MARKUP = {
    "inline_keyboard": [
        [{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}],
        [{"text": "Read", "url": "https://example.org/"}],
    ]
}


async def posted(api: Api, chat: int) -> int:
    """Let the bot post a question with buttons and return its message id."""
    message_id: int = (await api("sendMessage", chat_id=chat, text="Well?", reply_markup=MARKUP)).result["message_id"]
    return message_id


async def read_events(api: Api, path: str, count: int, **options: Any) -> list[dict[str, Any]]:
    """Read the first events of a stream as {id, event, data}."""
    events: list[dict[str, Any]] = []
    async with api.client.get(api.url + path, **options) as stream:
        assert stream.content_type == "text/event-stream"
        while len(events) < count:
            lines = [(await stream.content.readline()).decode().rstrip("\n") for _ in range(4)]
            fields = dict(line.split(": ", 1) for line in lines[:3])
            events.append({"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])})
    return events


async def test_a_story_through_the_control_api_alone(api: Api) -> None:
    ben = (await api.control("users", first_name="Ben", username="ben")).body
    assert (await api.control("say", user_id=ben["id"], text="/start")).body["text"] == "/start"
    message_id = await posted(api, ben["id"])
    pressed = (await api.control("press", user_id=ben["id"], chat_id=ben["id"], message_id=message_id, data="n")).body
    update = (await api("getUpdates", offset=-1)).result[0]
    assert update["callback_query"]["id"] == pressed["callback_query_id"]
    assert update["callback_query"]["data"] == "n"


async def test_the_state_holds_what_a_page_needs(api: Api, anna: User, sandbox: Sandbox) -> None:
    message_id = await posted(api, anna.id)
    await api("editMessageText", chat_id=anna.id, message_id=message_id, text="Well!")
    state = (await api.get("/sandbox/state")).body
    assert state["bot"]["username"] == sandbox.bot.username
    assert [user["first_name"] for user in state["users"]] == ["Anna"]
    assert [(chat["id"], chat["type"], chat["member_ids"]) for chat in state["chats"]] == [
        (anna.id, "private", [anna.id])
    ]
    start, post = state["messages"][str(anna.id)]
    assert (start["text"], post["text"]) == ("/start", "Well!")
    assert [version["text"] for version in post["history"]] == ["Well?"]
    assert state["polling"] == {"active": False, "last_at": None}
    assert state["last_event"] == sandbox.world.events.last


@pytest.mark.parametrize(
    ("place", "data"), [({}, "y"), ({"column": 1}, "n"), ({"row": 0, "column": 0}, "y"), ({"data": "n"}, "n")]
)
async def test_a_button_is_pressed_by_place_or_data(api: Api, anna: User, place: dict[str, object], data: str) -> None:
    message_id = await posted(api, anna.id)
    assert (await api.control("press", user_id=anna.id, chat_id=anna.id, message_id=message_id, **place)).status == 200
    update = (await api("getUpdates", offset=-1)).result[0]
    assert update["callback_query"]["data"] == data


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"data": "z"}, "message 2 has no such button, but ['Yes', 'No', 'Read']"),
        ({"row": 1}, "the button 'Read' does not call the bot"),
        ({"message_id": 404}, "there is no message 404 in chat 700000001"),
        ({"user_id": 404}, "there is no user 404"),
        ({"colour": "red"}, 'unknown field "colour"'),
        ({"row": "0"}, 'the field "row" must be of type int'),
    ],
)
async def test_a_press_that_nobody_could_make_is_refused(
    api: Api, anna: User, wish: dict[str, object], reason: str
) -> None:
    message_id = await posted(api, anna.id)
    fields = {"user_id": anna.id, "chat_id": anna.id, "message_id": message_id} | wish
    answer = await api.control("press", **fields)
    assert (answer.status, answer.body) == (400, {"error": reason})


async def test_people_press_only_where_they_are(api: Api, anna: User, sandbox: Sandbox) -> None:
    ben = sandbox.add_user("Ben")
    await posted(api, anna.id)
    with pytest.raises(Refused, match="Ben is not in chat"):
        sandbox.press(ben, sandbox.messages(anna)[-1])


async def test_a_button_that_an_edit_took_away_cannot_be_pressed(api: Api, anna: User, sandbox: Sandbox) -> None:
    message_id = await posted(api, anna.id)
    await api("editMessageText", chat_id=anna.id, message_id=message_id, text="done")
    with pytest.raises(Refused, match="no such button"):
        sandbox.press(anna, sandbox.message(anna, message_id), "Yes")


async def test_chats_can_be_made_left_and_moved(api: Api, anna: User) -> None:
    made = (await api.control("chats", type="group", title="Ops", member_ids=[anna.id])).body
    assert (await api("sendMessage", chat_id=made["id"], text="x")).status == 200
    await api.control("kick", chat_id=made["id"])
    assert (await api("sendMessage", chat_id=made["id"], text="x")).status == 403
    await api.control("rejoin", chat_id=made["id"])
    moved = (await api.control("migrate", chat_id=made["id"])).body
    assert (await api("sendMessage", chat_id=moved["to"], text="x")).status == 200


async def test_the_bot_is_not_in_a_chat_made_without_it(api: Api, anna: User) -> None:
    made = (await api.control("chats", type="channel", title="Theirs", member_ids=[anna.id], bot=False)).body
    refusal = (await api("sendMessage", chat_id=made["id"], text="x")).refusal
    assert refusal == "403 Forbidden: bot is not a member of the channel chat"


async def test_blocking_by_control(api: Api, anna: User) -> None:
    assert (await api.control("block", user_id=anna.id, blocked=True)).body["has_blocked"] is True
    assert (await api("sendMessage", chat_id=anna.id, text="x")).status == 403
    await api.control("block", user_id=anna.id, blocked=False)
    assert (await api("sendMessage", chat_id=anna.id, text="x")).status == 200


@pytest.mark.parametrize(
    ("verb", "fields", "reason"),
    [
        ("users", {}, 'the field "first_name" is missing'),
        ("users", {"first_name": "A", "id": 700000001}, "user 700000001 exists already"),
        ("chats", {"type": "club", "title": "x"}, '"club" is not a chat type'),
        ("chats", {"type": "private", "title": "x"}, "a private chat starts with a user's first message"),
        ("chats", {"type": "group", "title": "x", "member_ids": [404]}, "there is no user 404"),
        ("chats", {"type": "group", "title": "x", "member_ids": ["me"]}, "member_ids must be numbers"),
        ("say", {"user_id": 700000001, "text": " "}, "the text is empty"),
        ("faults", {"kind": "earthquake"}, '"earthquake" is not a fault; known faults: error, flood'),
    ],
)
async def test_nonsense_is_refused_with_a_reason(
    api: Api, anna: User, verb: str, fields: dict[str, object], reason: str
) -> None:
    answer = await api.control(verb, **fields)
    assert answer.status == 400
    assert answer.body["error"].startswith(reason)


async def test_faults_are_set_listed_and_removed(api: Api, sandbox: Sandbox) -> None:
    fault = (await api.control("faults", kind="error", method="getMe", error_code=403, description="no", times=5)).body
    assert (await api("getMe")).refusal == "403 no"
    (listed,) = (await api.get("/sandbox/state")).body["faults"]
    assert (listed["id"], listed["times"], listed["hits"]) == (fault["id"], 4, 1)
    async with api.client.delete(f"{api.url}/sandbox/faults/{fault['id']}") as answer:
        assert answer.status == 200
    assert (await api("getMe")).status == 200
    async with api.client.delete(f"{api.url}/sandbox/faults/{fault['id']}") as answer:
        assert (answer.status, await answer.json()) == (400, {"error": f"there is no fault {fault['id']}"})
    sandbox.fault("error")
    async with api.client.delete(f"{api.url}/sandbox/faults") as answer:
        assert answer.status == 200
    assert (await api("getMe")).status == 200


async def test_the_call_log_goes_on_where_the_reader_stopped(api: Api) -> None:
    await api("getMe")
    first = (await api.get("/sandbox/calls?since=0")).body
    assert [call["method"] for call in first["calls"]] == ["getMe"]
    await api("getMyCommands")
    later = (await api.get(f"/sandbox/calls?since={first['last']}")).body
    assert [(call["n"], call["method"]) for call in later["calls"]] == [(2, "getMyCommands")]
    assert (await api.get("/sandbox/calls?since=x")).status == 400


async def test_events_tell_what_happens_in_order(api: Api, anna: User, sandbox: Sandbox) -> None:
    since = sandbox.world.events.last
    message_id = await posted(api, anna.id)
    query = sandbox.press(anna, sandbox.message(anna, message_id))
    await api("answerCallbackQuery", callback_query_id=query, text="Thanks", show_alert=True)
    await api("editMessageText", chat_id=anna.id, message_id=message_id, text="Well!")
    await api("deleteMessage", chat_id=anna.id, message_id=message_id)
    events = [
        event for event in await read_events(api, f"/sandbox/events?since={since}", 8) if event["event"] != "call"
    ]
    assert [event["event"] for event in events] == ["message", "answered", "edited", "deleted"]
    sent, answered, edited, deleted = (event["data"] for event in events)
    assert (sent["text"], sent["history"]) == ("Well?", [])
    assert (answered["callback_query_id"], answered["text"], answered["show_alert"]) == (query, "Thanks", True)
    assert (edited["text"], edited["history"][0]["text"]) == ("Well!", "Well?")
    assert deleted == {"chat_id": anna.id, "message_id": message_id}


async def test_a_reader_of_events_goes_on_after_a_lost_connection(api: Api, sandbox: Sandbox) -> None:
    for name in ("Ada", "Bea", "Cleo"):
        sandbox.add_user(name)
    first, second = await read_events(api, "/sandbox/events?since=0", 2)
    (third,) = await read_events(api, "/sandbox/events?since=0", 1, headers={"Last-Event-ID": str(second["id"])})
    assert [event["data"]["first_name"] for event in (first, second, third)] == ["Ada", "Bea", "Cleo"]


async def test_events_arrive_while_they_happen(api: Api, sandbox: Sandbox) -> None:
    reading = asyncio.create_task(read_events(api, "/sandbox/events?since=0", 1))
    await asyncio.sleep(0)
    sandbox.add_user("Dora")
    (event,) = await reading
    assert (event["event"], event["data"]["first_name"]) == ("user", "Dora")


async def test_the_page_is_served(api: Api) -> None:
    async with api.client.get(api.url + "/") as page:
        assert (page.status, page.content_type) == (200, "text/html")
    async with api.client.get(api.url + "/app.js") as script:
        assert script.status == 200
        assert script.content_type.endswith("/javascript")
    async with api.client.get(api.url + "/nothing.js") as nothing:
        assert nothing.status == 404


async def test_a_failed_wait_shows_what_happened_instead(sandbox: Sandbox, anna: User) -> None:
    with pytest.raises(AssertionError, match=r"not seen within 0\.01 s\n(.|\n)*Anna: '/start'"):
        await sandbox.wait_for(lambda: None, timeout=0.01)


async def test_closing_ends_everything_that_waits(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as client, serving(sandbox) as url:
        api = Api(url, sandbox, client)
        poll = asyncio.create_task(api("getUpdates", timeout=50))
        events = asyncio.create_task(read_events(api, "/sandbox/events?since=0", 1))
        await sandbox.wait_for(lambda: sandbox.polling.is_active)
        await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientConnectionError):
        await poll
    events.cancel()


async def test_files_of_messages_are_handed_out_and_nothing_in_them_runs(api: Api, anna: User) -> None:
    photo = (await api.upload("sendPhoto", {"photo": File(png())}, chat_id=anna.id)).result["photo"]
    page = File(b"<script>alert(1)</script>", "an ü.html")
    document = (await api.upload("sendDocument", {"document": page}, chat_id=anna.id)).result["document"]
    assert await api.download(f"/sandbox/files/{photo[0]['file_unique_id']}") == (200, png())
    async with api.client.get(f"{api.url}/sandbox/files/{document['file_unique_id']}") as answer:
        assert await answer.read() == page.content
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''an%20%C3%BC.html"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert (await api.download("/sandbox/files/nothing"))[0] == 404


async def test_the_state_shows_photos_documents_and_albums_as_telegram_writes_them(api: Api, anna: User) -> None:
    items = [{"type": "document", "media": f"attach://{name}"} for name in "ab"]
    items[0]["caption"] = "#logs"
    files = {name: File(b"x", f"{name}.txt") for name in "ab"}
    sent = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items, disable_notification=True)).result
    shown = (await api.get("/sandbox/state")).body["messages"][str(anna.id)][-2:]
    assert shown == [message | {"history": [], "is_silent": True} for message in sent]
    assert shown[0]["caption_entities"] == [{"type": "hashtag", "offset": 0, "length": 5}]


async def test_a_topic_can_be_deleted(api: Api, anna: User, sandbox: Sandbox) -> None:
    forum = sandbox.add_chat("supergroup", "Forum", members=[anna], forum=True)
    topic = (await api.control("topics", chat_id=forum.id, name="Disks")).body["message_thread_id"]
    assert (await api.control("delete_topic", chat_id=forum.id, message_thread_id=topic)).status == 200
    again = await api.control("delete_topic", chat_id=forum.id, message_thread_id=topic)
    assert again.body == {"error": f"there is no topic {topic} in chat {forum.id}"}


async def test_a_topic_can_be_closed_and_reopened(api: Api, anna: User, sandbox: Sandbox) -> None:
    forum = sandbox.add_chat("supergroup", "Forum", members=[anna], forum=True)
    topic = (await api.control("topics", chat_id=forum.id, name="Disks")).body["message_thread_id"]
    send = {"chat_id": forum.id, "message_thread_id": topic, "text": "x"}

    await api.control("close_topic", chat_id=forum.id, message_thread_id=topic)
    assert (await api("sendMessage", **send)).refusal == "400 Bad Request: TOPIC_CLOSED"
    await api.control("close_topic", chat_id=forum.id, message_thread_id=topic, closed=False)
    assert (await api("sendMessage", **send)).status == 200

    updates = (await api("getUpdates")).result
    notices = [update["message"] for update in updates if "message" in update]
    kinds = ("forum_topic_created", "forum_topic_closed", "forum_topic_reopened")
    assert [kind for notice in notices for kind in kinds if kind in notice] == list(kinds)
    assert {notice["message_thread_id"] for notice in notices} == {topic}
    again = await api.control("close_topic", chat_id=forum.id, message_thread_id=404)
    assert again.body == {"error": f"there is no topic 404 in chat {forum.id}"}


async def test_pages_are_provided_and_files_forgotten(api: Api, anna: User) -> None:
    address, encoded = "https://example.org/x.png", b64encode(png()).decode()
    laid = await api.control("web", url=address, base64=encoded, content_type="image/png")
    assert laid.body == {"url": address, "size": len(png())}
    photo = (await api("sendPhoto", chat_id=anna.id, photo=address)).result["photo"]
    await api.control("forget_files")
    assert (await api("sendPhoto", chat_id=anna.id, photo=photo[0]["file_id"])).status == 400
    assert (await api.control("web", url=address, base64="?")).body == {"error": "the body is not base64"}
