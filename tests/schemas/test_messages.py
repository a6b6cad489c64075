"""Fields of a request: invalid values are refused with a reason and never stored."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.door import Door, assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD: dict[str, Any] = {"content": "disk full", "channel_id": -1001234}
NO_TEXT = [None, True, 0, 5, 1.5, [], ["x"], {}, {"x": "y"}]
BLANK = ["", " ", "\t\r\n", "\u00a0", "\u2003\u3000", "\u200b", "\u2800", "\ufeff", "\u3164", "\u00ad\u200d"]
NO_CHARACTERS = ["a\x00b", "\x00", "a\ud800", "\udfff", "\udc00\ud800"]
NO_CHAT = [
    True, False, 0, -0.0, 1.5, 1e3, -1e18, [], [5], {}, {"id": 5}, 2**53, -(2**53), 2**63, 10**399,
    "", "0", "-0", "00", " 5", "5 ", "5\n", "+5", "--5", "5.0", "1e3", "0x10", "1_000", "５", "٣", "²", "5\x00",
    "9" * 17, "@", "@abc", "@1abcd", "@a-bcd", "@" + "a" * 33, "@ābcd", "@abcd ", "alice", "t.me/abcd",
    "https://t.me/abcd", "-",
]  # fmt: skip


def without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


async def refuses(door: Door, path: str, fields: object, *, loc: str | None = None) -> None:
    found = assert_problem(await door.ask("POST", path, fields), 400)
    if loc is not None:
        assert [loc] in [problem["loc"] for problem in found["errors"]], found


@pytest.mark.parametrize("value", [*NO_TEXT, *BLANK], ids=repr)
async def test_an_empty_or_invisible_text_is_refused(refusing: Door, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"content": value}, loc="content")
    await refuses(refusing, "/send", {"user": "alice", "text": value}, loc="text")


@pytest.mark.parametrize("text", NO_CHARACTERS, ids=repr)
async def test_invalid_characters_in_data_are_refused(refusing: Door, text: str) -> None:
    for data in ({"a": text}, {text: 1}, {"a": [{"b": [text]}]}):
        await refuses(refusing, "/api/ingest", GOOD | {"data": data}, loc="data")


@pytest.mark.parametrize("value", NO_CHAT, ids=repr)
async def test_a_chat_is_a_number_its_digits_or_a_channels_name(refusing: Door, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"channel_id": value}, loc="channel_id")


@pytest.mark.parametrize("value", [*NO_CHAT, "@channel", None], ids=repr)
async def test_only_a_chat_with_a_number_can_be_subscribed(refusing: Door, value: object) -> None:
    await refuses(refusing, "/subscribe-user", {"chat_id": value, "chat_name": "anna"}, loc="chat_id")


@pytest.mark.parametrize(
    "value",
    [without_null for without_null in [*NO_TEXT, *BLANK, "x" * 300] if without_null is not None],
)
@pytest.mark.parametrize("name", ["title", "source", "client_id"])
async def test_a_label_is_short_text(refusing: Door, name: str, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {name: value}, loc=name)


@pytest.mark.parametrize("value", NO_CHARACTERS, ids=repr)
@pytest.mark.parametrize("name", ["source", "client_id", "dedup_key"])
async def test_a_label_with_an_invalid_character_is_refused(refusing: Door, name: str, value: str) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {name: value}, loc=name)


@pytest.mark.parametrize("value", [*NO_TEXT, *BLANK, *NO_CHARACTERS, "x" * 129], ids=repr)
@pytest.mark.parametrize(("path", "name"), [("/send", "user"), ("/subscribe-user", "chat_name")])
async def test_a_name_is_short_text(refusing: Door, path: str, name: str, value: object) -> None:
    fields = {"user": "alice", "text": "hi"} if path == "/send" else {"chat_id": 5, "chat_name": "anna"}
    # null leaves the user out, and a number is an account that nobody has.
    is_left_out = path == "/send" and (value is None or (isinstance(value, int) and not isinstance(value, bool)))
    await refuses(refusing, path, fields | {name: value}, loc=None if is_left_out else name)


@pytest.mark.parametrize(
    "value",
    [True, False, -1, 0.5, 31_622_401, 10**399, "", " ", "-5m", "5 m", "5x", "m5", "1h 1h", "１５m", "0.5h",
     "367d", "9" * 13, "never ever", [], {}],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("name", ["escalate_after", "close_after"])
async def test_a_span_is_a_second_to_a_year_or_never(refusing: Door, name: str, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {name: value}, loc=name)


@pytest.mark.parametrize("value", [None, 0, 1, "true", "false", "", [], {}], ids=repr)
async def test_acknowledge_is_true_or_false(refusing: Door, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"acknowledge": value}, loc="acknowledge")


@pytest.mark.parametrize("value", [None, "", "Text", "video", "\ud800", 5, True, [], {}], ids=repr)
async def test_only_a_known_type_is_taken(refusing: Door, value: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"type": value}, loc="type")


@pytest.mark.parametrize(
    "fields",
    [
        {"channel_id": 5, "user": "alice"},
        {"channel_id": 5, "to": ["alice"]},
        {"user": "alice", "to": ["alice"]},
        {},
        {"channel_id": None, "user": None, "to": None},
    ],
    ids=repr,
)
async def test_a_message_names_its_recipients_with_exactly_one_field(refusing: Door, fields: dict[str, object]) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", {"content": "x"} | fields), 400)
    assert "exactly one of channel_id, user and to" in found["detail"]


@pytest.mark.parametrize("path", ["/send", "/send_photo"])
@pytest.mark.parametrize("fields", [{}, {"user": "alice", "to": ["bob"]}], ids=repr)
async def test_a_request_names_its_recipients_with_exactly_one_field(
    refusing: Door, path: str, fields: dict[str, object]
) -> None:
    text = "text" if path == "/send" else "caption"
    found = assert_problem(await refusing.ask("POST", path, {text: "x"} | fields), 400)
    assert "exactly one of user and to" in found["detail"]


@pytest.mark.parametrize(
    "value",
    ["alice", 5, {}, True, [], [None], [True], [1.5], [["alice"]], [" "], ["@"], ["@1abcd"], [0], ["0"], ["9" * 17],
     ["x" * 129], ["a\x00"], ["\ud800"], ["alice", {}], [f"a{number}" for number in range(101)]],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/ingest", "/send", "/send_photo"])
async def test_to_is_a_list_of_recipients(refusing: Door, path: str, value: object) -> None:
    text = {"/api/ingest": "content", "/send": "text", "/send_photo": "caption"}[path]
    await refuses(refusing, path, {text: "x", "to": value}, loc="to")


@pytest.mark.parametrize(
    "button",
    [
        None, "x", [], {}, {"text": "Graph"}, {"url": "https://example.org/"}, {"text": " ", "copy": "x"},
        {"text": "x" * 65, "copy": "x"}, {"text": "Graph", "copy": ""}, {"text": "Graph", "copy": "x" * 257},
        {"text": "Graph", "copy": "x", "url": "https://example.org/"}, {"text": "Graph", "copy": 5},
    ],
    ids=repr,
)  # fmt: skip
async def test_a_button_opens_a_link_or_is_copied(refusing: Door, button: object) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"buttons": [button]}, loc="buttons")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "mailto:a@example.org",
        "ftp://example.org/",
        "javascript:alert(1)",
        "https://",
        "https://a b.c/",
    ],
)
async def test_a_button_opens_what_a_browser_or_telegram_opens(refusing: Door, url: str) -> None:
    await refuses(refusing, "/api/ingest", GOOD | {"buttons": [{"text": "Graph", "url": url}]}, loc="buttons")


@pytest.mark.parametrize("name", ["content", "channel_id"])
async def test_a_missing_required_field_is_refused(refusing: Door, name: str) -> None:
    await refuses(refusing, "/api/ingest", without(GOOD, name))


@pytest.mark.parametrize(("path", "names"), [("/subscribe-user", ["chat_id", "chat_name"])])
async def test_a_missing_body_names_every_field_that_is_required(refusing: Door, path: str, names: list[str]) -> None:
    found = assert_problem(await refusing.ask("POST", path), 400)
    assert [(problem["loc"], problem["msg"]) for problem in found["errors"]] == [
        ([name], "this field is required") for name in names
    ]


@pytest.mark.parametrize(
    "name", ["chanel_id", "Content", "", " content", "content ", "__class__", "a\x00", "\ud800", "é"]
)
async def test_an_unknown_field_is_refused_by_name(refusing: Door, name: str) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD | {name: "x"}), 400)
    assert found["errors"][0]["msg"].startswith("this field is unknown")
    assert found["errors"][0]["loc"] == [name.replace("\ud800", "?")]


async def test_a_misspelt_field_is_refused_with_a_suggestion(refusing: Door) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD | {"chanel_id": 5}), 400)
    assert found["detail"] == "chanel_id: this field is unknown; did you mean channel_id?"


async def test_all_problems_are_reported_at_once(refusing: Door) -> None:
    fields = {"content": " ", "channel_id": True, "close_after": "soon", "colour": "red"}
    found = assert_problem(await refusing.ask("POST", "/api/ingest", fields), 400)
    assert sorted(problem["loc"][0] for problem in found["errors"]) == [
        "channel_id",
        "close_after",
        "colour",
        "content",
    ]


@pytest.mark.parametrize("fields", [{f"f{n}": n for n in range(50_000)}, {"n" * 500_000: 1}], ids=["many", "long"])
async def test_the_response_stays_short_with_many_unknown_fields(refusing: Door, fields: dict[str, int]) -> None:
    answer = await refusing.ask("POST", "/api/ingest", GOOD | fields)
    assert_problem(answer, 400)
    assert len(answer.body) < 2000


@pytest.mark.parametrize("path", ["/send", "/api/ingest"])
async def test_an_unknown_person_is_refused(refusing: Door, path: str) -> None:
    text = "content" if path == "/api/ingest" else "text"
    found = assert_problem(await refusing.ask("POST", path, {"user": "nobody-here", text: "hi"}), 400)
    assert "nobody-here" in found["detail"]


@pytest.mark.parametrize("verb", ["acknowledge", "close", "cancel"])
async def test_acknowledge_accepts_no_fields(refusing: Door, verb: str) -> None:
    path = f"/api/messages/01890a5d-ac96-774b-bcce-b302099a8057/{verb}"
    assert_problem(await refusing.ask("POST", path, {"reason": "because"}), 400)
