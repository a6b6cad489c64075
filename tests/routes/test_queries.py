"""Input outside the body: ids in paths, queries, and the Idempotency-Key header."""

import json

import pytest

from tests.support.door import Door, assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
NO_VERSION_7 = UNKNOWN.replace("774b", "474b")
GOOD = b'{"content": "x", "channel_id": 5}'


@pytest.mark.parametrize(
    "wait",
    ["31", "-1", "-0", "30.1", "1e1", "nan", "NaN", "inf", "Infinity", "", " ", "5s", "0x5", "%D9%A3", "%EF%BC%95",
     "1_0", "%2B5", "+5", "5.", ".5", "true", "9" * 400, "5&wait=5", "5&wait=6", "%00", "5%00", "%ff"],
)  # fmt: skip
async def test_a_wait_is_0_to_30_seconds(refusing: Door, wait: str) -> None:
    found = assert_problem(await refusing.ask("POST", f"/api/ingest?wait={wait}", GOOD), 400)
    assert found["errors"][0]["loc"] == ["wait"]


@pytest.mark.parametrize("query", ["waits=5", "wait=5&x=1", "=", "=5", "Wait=5", "wait%20=5", "%00=1", "limit=5"])
async def test_a_query_that_nobody_asked_for_is_refused(refusing: Door, query: str) -> None:
    found = assert_problem(await refusing.ask("POST", f"/api/ingest?{query}", GOOD), 400)
    assert "unknown" in found["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ["0", "501", "-1", "abc", "", "5.0", "5_0", "%D9%A3", "9" * 5000, "1e2"]),
        *(("status", value) for value in ["", "open", "Sent", "sent%20", "sent,failed", "%ff"]),
        *(("since", value) for value in ["", "yesterday", "2026", "2026-13-01", "2026-02-30T00:00", "1700000000"]),
        *(("since", value) for value in ["2026-01-01T25:00:00Z", "0001-01-01T00:00:00%2B23:59", "2026-W05-1", "%00"]),
        *(("since", value) for value in ["9999-12-31T23:59:59-23:59", "%EF%BC%92026-01-01", "2026-01-01T00:00:00Z%00"]),
        *(("open", value) for value in ["", "1", "yes", "True", "true%20"]),
        *(("cursor", value) for value in ["", "x", "0", UNKNOWN.upper(), UNKNOWN + "0", NO_VERSION_7, "%00"]),
        *(("source", value) for value in ["", "%20", "%00", "x" * 129, "%e2%80%8b"]),
    ],
)  # fmt: skip
async def test_nonsense_in_a_list_query_is_refused(refusing: Door, name: str, value: str) -> None:
    found = assert_problem(await refusing.ask("GET", f"/api/messages?{name}={value}"), 400)
    assert found["errors"][0]["loc"] == [name]


@pytest.mark.parametrize("query", ["limits=5", "q=x", "limit=5&page=2", "account=bob", "__proto__=1"])
async def test_an_unknown_parameter_is_refused(refusing: Door, query: str) -> None:
    assert "unknown" in assert_problem(await refusing.ask("GET", f"/api/messages?{query}"), 400)["detail"]


@pytest.mark.parametrize("query", ["limit=5&limit=5", "source=a&limit=1&source=b", "status=sent&status=sent"])
async def test_a_repeated_parameter_is_refused(refusing: Door, query: str) -> None:
    assert "twice" in assert_problem(await refusing.ask("GET", f"/api/messages?{query}"), 400)["detail"]


async def test_very_many_parameters_get_a_short_answer(refusing: Door) -> None:
    query = "&".join(f"p{number}=1" for number in range(900))
    assert len((await refusing.ask("GET", f"/api/messages?{query}")).body) < 2000


async def test_a_cursor_of_no_message_is_just_a_place_in_the_list(refusing: Door) -> None:
    answer = await refusing.ask("GET", f"/api/messages?cursor={UNKNOWN}")
    assert answer.json == {"messages": [], "next_cursor": None}


async def test_pages_follow_each_other_without_gap_or_repetition(shared: Door) -> None:
    sent = [(await shared.ingest(source="pages", content=f"{number}")).json["id"] for number in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await shared.ask("GET", f"/api/messages?source=pages&limit=3{cursor}")).json
        seen += [message["id"] for message in page["messages"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sent[::-1]


async def test_open_alerts_alone_are_listed(shared: Door) -> None:
    alert, answered = [(await shared.ingest(source="open")).json["id"] for _ in range(2)]
    notice = (await shared.ingest(source="open", acknowledge=False)).json["id"]
    await shared.ask("POST", f"/api/messages/{answered}/acknowledge")
    listed = (await shared.ask("GET", "/api/messages?source=open&open=true")).json["messages"]
    every = (await shared.ask("GET", "/api/messages?source=open&open=false")).json["messages"]
    assert [message["id"] for message in listed] == [alert]
    assert {message["id"] for message in every} == {alert, answered, notice}


NO_IDS = [
    "x", "0", "-1", "null", UNKNOWN[:-1], UNKNOWN + "0", UNKNOWN.replace("-", ""), "{" + UNKNOWN + "}", NO_VERSION_7,
    "urn:uuid:" + UNKNOWN, "%00", UNKNOWN + "%00", UNKNOWN + "%20", "%ff", "%F0%9F%92%A9", "a%2Fb", "..%2F..%2Fetc",
    "'%20OR%201=1", "%D9%A0" * 36, "x" * 7000,
]  # fmt: skip


@pytest.mark.parametrize("message_id", [*NO_IDS, UNKNOWN], ids=lambda text: text[:40])
@pytest.mark.parametrize("verb", ["", "/acknowledge", "/close", "/cancel"])
async def test_an_unknown_message_is_404(refusing: Door, verb: str, message_id: str) -> None:
    method = "POST" if verb else "GET"
    found = assert_problem(await refusing.ask(method, f"/api/messages/{message_id}{verb}"), 404)
    assert "message" in found["detail"]


async def test_an_id_is_found_in_capitals_and_percent_encoded(shared: Door) -> None:
    message_id = (await shared.ingest()).json["id"]
    for spelling in (message_id.upper(), "".join(f"%{ord(letter):02X}" for letter in message_id)):
        assert (await shared.ask("GET", f"/api/messages/{spelling}")).json["id"] == message_id


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "\udcff", "\u200b", "ab\udc80"])
async def test_a_key_is_short_text(refusing: Door, key: str) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD, Idempotency_Key=key), 400)
    assert found["errors"][0]["loc"] == ["Idempotency-Key"]


async def test_two_keys_are_refused(refusing: Door) -> None:
    keys = b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"
    head = b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n" + keys
    assert "twice" in assert_problem(await refusing.raw(head + b"\r\n" + GOOD), 400)["detail"]


async def test_a_key_that_differs_from_the_client_id_is_refused(refusing: Door) -> None:
    body = json.loads(GOOD) | {"client_id": "one"}
    found = assert_problem(await refusing.ask("POST", "/api/ingest", body, Idempotency_Key="other"), 400)
    assert found["errors"][0]["loc"] == ["client_id"]


@pytest.mark.parametrize("key", ["k" * 128, "ключ-1", "🔑", "a b/c?d=e", "'; DROP TABLE messages; --"])
async def test_the_same_key_sends_once(shared: Door, key: str) -> None:
    first = await shared.ask("POST", "/api/ingest", GOOD, Idempotency_Key=key)
    again = await shared.ask("POST", "/api/ingest", GOOD, Idempotency_Key=key)
    in_body = await shared.ask("POST", "/api/ingest", json.loads(GOOD) | {"client_id": key})
    assert (first.status, again.status, in_body.status) == (202, 200, 200)
    assert {answer.json["id"] for answer in (first, again, in_body)} == {first.json["id"]}
    assert [answer.json["duplicate"] for answer in (first, again, in_body)] == [False, True, True]


async def test_a_key_for_another_request_is_a_conflict(shared: Door) -> None:
    first = await shared.ask("POST", "/api/ingest", GOOD, Idempotency_Key="taken")
    other = await shared.ask("POST", "/api/ingest", {"content": "y", "channel_id": 5}, Idempotency_Key="taken")
    assert first.json["id"] in assert_problem(other, 409)["detail"]
