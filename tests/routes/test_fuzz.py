"""Fuzzing: any value in any field, and any body, gets a response that is not a 5xx."""

import asyncio
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.door import Door, assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMON = (
    *("title", "source", "client_id", "acknowledge", "escalate_after", "close_after"),
    *("send_at", "repeat", "time_zone", "template", "policy", "remind_every", "data"),
)
FIELDS = {
    "/api/ingest": ("type", "content", "channel_id", "user", "to", *COMMON),
    "/send": ("user", "to", "text", *COMMON),
    "/api/events": ("event", "user", "to", *COMMON),
    "/schedule-message": ("target_user_id", "message", "scheduled_timestamp", "repeat", "time_zone"),
    "/api/schedules/preview": ("repeat", "time_zone", "begins_at"),
    "/subscribe-user": ("chat_id", "chat_name"),
    "/api/telegram/verify-link": ("user", "token"),
    "/api/telegram/unlink": ("user",),
}
TEXTS = st.text(st.characters(codec=None), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
NOTHING = re.compile(r"(?!)")
"""Matches nothing: responses repeat the caller's input, which can look like anything here."""
LIKELY = st.sampled_from(["text", "x", 5, -1001, "5", "@some_channel", "15m", 0, "never", True, "alice"]) | (
    st.sampled_from(["2031-01-31T18:30:00", "0001-01-01", "@daily", "every 15m", "Europe/Berlin", "post_success"])
)
HEADERS = [
    *("Content-Type", "Idempotency-Key", "Expect", "Accept", "Content-Encoding", "Host", "Authorization"),
    *("X-Forwarded-For", "Range", "If-None-Match", "Retry-After", "Cookie", "Transfer-Encoding", "Connection"),
]
HEADER_TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=150)
QUERIES = st.text("abcwaitlmsuc=&%0179-+. \u00e9", max_size=30)


def fuzz(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def check(door: Door, method: str, target: str, body: bytes, **headers: str) -> None:
    answer = await door.ask(method, target, body, **headers)
    if answer.status >= 300:
        assert_problem(answer, ours=NOTHING)


@fuzz(250)
@given(st.data())
async def test_any_json_value_in_any_field(shared: Door, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(FIELDS)))
    names = st.sampled_from(FIELDS[path])
    fields = data.draw(st.dictionaries(names | TEXTS, LIKELY | VALUES, max_size=6))
    await check(shared, "POST", path, json.dumps(fields).encode())


@fuzz(150)
@given(st.data())
async def test_the_fast_path_and_the_slow_path_give_the_same_response(shared: Door, data: st.DataObject) -> None:
    """The fast path is for a bare path, and a body that arrives with its head."""
    path = data.draw(st.sampled_from(sorted(FIELDS)))
    named = st.dictionaries(st.sampled_from(FIELDS[path]), LIKELY | VALUES, max_size=6)
    body = data.draw(named.map(lambda fields: json.dumps(fields).encode()) | st.binary(max_size=60))
    short = await shared.ask("POST", path, body)
    async with shared.connection() as line:
        head = f"POST {path}? HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        await line.say(f"{head}\r\n\r\n".encode() + body[:1])
        await asyncio.sleep(0)
        await line.say(body[1:])
        long = await line.answer()
    if short.status >= 300:  # a successful request cannot be repeated
        assert (short.status, short.body) == (long.status, long.body)


@fuzz(150)
@given(body=st.binary(max_size=200), path=st.sampled_from(sorted(FIELDS)))
async def test_any_bytes_as_a_body(shared: Door, path: str, body: bytes) -> None:
    await check(shared, "POST", path, body)


@fuzz(100)
@given(body=VALUES, broken=st.integers(0, 60), byte=st.integers(0, 255))
async def test_json_with_one_byte_changed(shared: Door, body: object, broken: int, byte: int) -> None:
    text = bytearray(json.dumps({"content": "x", "channel_id": 5, "title": body}).encode())
    text[broken % len(text)] = byte
    await check(shared, "POST", "/api/ingest", bytes(text))


@fuzz(100)
@given(query=QUERIES, target=st.sampled_from(["GET /api/messages", "POST /api/ingest"]))
async def test_any_query(shared: Door, target: str, query: str) -> None:
    method, path = target.split()
    escaped = query.replace(" ", "+").replace("\u00e9", "%C3%A9")
    await check(shared, method, f"{path}?{escaped}", b"" if method == "GET" else b'{"content": "x", "user": "nobody"}')


@fuzz(100)
@given(name=st.sampled_from(HEADERS), value=HEADER_TEXTS)
async def test_any_header(shared: Door, name: str, value: str) -> None:
    await check(shared, "POST", "/api/ingest", b'{"content": "x", "channel_id": 5}', **{name: value})


FORM = st.sampled_from(
    [
        *(b"--x\r\n", b"--x--", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="', b"--", b"\0", b"\xff"),
        *(
            b'content"',
            b'channel_id"',
            b'file"; filename="',
            b"a.png",
            b'"',
            b"; filename*=utf-8''%ff",
            b"Content-Type: ",
        ),
        *(b"Content-Length: 99999999999", b"Content-Transfer-Encoding: base64", b"text", b"-1001", b"multipart/mixed"),
    ]
)


@fuzz(150)
@given(pieces=st.lists(FORM, max_size=25), boundary=st.sampled_from(["x", '"x"', "", "x" * 80, "x; charset=utf-16"]))
async def test_any_form(shared: Door, pieces: list[bytes], boundary: str) -> None:
    """Forms of Telegram's kind and of the web: of parts, and of fields in one line."""
    for kind in (f"multipart/form-data; boundary={boundary}", "application/x-www-form-urlencoded"):
        await check(shared, "POST", "/api/ingest", b"".join(pieces), **{"Content-Type": kind})


@fuzz(150)
@given(data=st.binary(max_size=300))
async def test_any_bytes_as_a_request(shared: Door, data: bytes) -> None:
    assert_problem(await shared.raw(data + b"\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), ours=NOTHING)
