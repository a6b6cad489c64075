"""Request bodies: only UTF-8 JSON of limited size without duplicate names is accepted."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from tests.support.door import Door, assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = b'{"content": "x", "channel_id": 5}'
MIB = 1024 * 1024


async def post(door: Door, body: bytes, path: str = "/api/ingest", **headers: str) -> object:
    return assert_problem(await door.ask("POST", path, body, **headers), 400)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"[[]]", b"null", b"true", b"5", b'"text"', b"1.5", b"-0",
        b"{", b"}", b"{]", b"{'content': 'x'}", b'{"content": "x",}', b'{"content"}', b'{"content": }', b"{content: 1}",
        b'{"content": "x"} {}', b'{"content": "x"}]', b'{"content": "a\nb"}', b'{"content": "\\x"}',
        b'{"content": "\\u12"}', b'{"channel_id": 05}', b'{"channel_id": +5}', b'{"channel_id": 5.}',
        b'{"channel_id": 0x5}', b'{"channel_id": .5}', b'{"channel_id": 5e}', b'{"channel_id": -}',
        b"undefined", b"// comment\n{}", b"content=x&channel_id=5", b"<xml/>", b"\x00", b"{}\x00", b"\x1f\x8b\x08",
    ],
)  # fmt: skip
async def test_a_body_that_is_not_a_json_object_is_refused(refusing: Door, body: bytes) -> None:
    for path in ("/api/ingest", "/send", "/subscribe-user"):
        await post(refusing, body, path)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 401, b"9" * 5000])
@pytest.mark.parametrize("name", [b"channel_id", b"close_after", b"unknown"])
async def test_nan_infinity_and_huge_numbers_are_refused(refusing: Door, name: bytes, number: bytes) -> None:
    assert "number" in str(await post(refusing, b'{"content": "x", "user": "a", "%s": %s}' % (name, number)))
    assert "number" in str(
        await post(refusing, b'{"content": "x", "user": "a", "%s": [{"deep": %s}]}' % (name, number))
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"content": "x", "channel_id": 5, "content": "x"}',
        b'{"content": "x", "channel_id": 5, "cont\\u0065nt": "y"}',
        b'{"content": "x", "channel_id": 5, "data": {"a": 1, "a": 1}}',
        b'{"content": "x", "channel_id": 5, "data": [[{"a": {"b": 1, "b": 2}}]]}',
        b'{"content": "x", "channel_id": 5, "": 1, "": 2}',
    ],
)
async def test_a_name_may_stand_once_in_an_object(refusing: Door, body: bytes) -> None:
    assert "twice" in str(await post(refusing, body))


async def test_a_second_name_behind_very_many_is_found_without_holding_anybody_up(refusing: Door) -> None:
    names = b",".join(b'"n%d":0' % number for number in range(19_000))
    assert "'n18999' is given twice" in str(await post(refusing, b'{%s,"n18999":0}' % names))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("prefix", [b"", b'{"content":', b'{"content": "x", "channel_id": 5, "unknown":'])
async def test_bottomless_nesting_is_refused(refusing: Door, prefix: bytes, opening: bytes) -> None:
    assert "nested" in str(await post(refusing, prefix + opening * 5_000))


@pytest.mark.parametrize("field", [b"unknown", b"content", b"channel_id"])
async def test_nesting_deeper_than_any_field_is_refused(refusing: Door, field: bytes) -> None:
    body = b'{"%s": %s%s}' % (field, b"[" * 40, b"]" * 40)
    assert "nested deeper than 32 levels" in str(await post(refusing, body))


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\xfe\xff\x00x"]
)
async def test_broken_utf_8_is_refused_with_its_place(refusing: Door, text: bytes) -> None:
    assert "not UTF-8: byte 13 " in str(await post(refusing, b'{"content": "' + text + b'", "channel_id": 5}'))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32"])
async def test_other_encodings_of_unicode_are_refused(refusing: Door, codec: str) -> None:
    await post(refusing, GOOD.decode().encode(codec))


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
async def test_a_byte_order_mark_is_not_part_of_the_body(refusing: Door, kind: str) -> None:
    body = b'\xef\xbb\xbf {"channel_id": 5, "colour": 1}'
    found = assert_problem(await refusing.ask("POST", "/api/ingest", body, Content_Type=kind), 400)
    assert [problem["loc"] for problem in found["errors"]] == [["colour"]]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/html", "application/xml", "application/octet-stream", "multipart/mixed; boundary=x", "x",
     ";", "", "application/jsonp", "json", "application/x-ndjson", "k" * 3000],
)  # fmt: skip
async def test_a_body_of_another_type_is_refused(refusing: Door, kind: str) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD, Content_Type=kind), 415)
    assert "application/json" in found["hint"]


async def test_a_form_is_refused(refusing: Door) -> None:
    kind = "application/x-www-form-urlencoded"
    assert_problem(await refusing.ask("POST", "/api/ingest", b"content=x&channel_id=5", Content_Type=kind), 415)


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "nonsense", "UTF-7", '"ISO-8859-15"'])
async def test_a_body_in_another_character_set_is_refused(refusing: Door, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    assert "UTF-8" in assert_problem(await refusing.ask("POST", "/api/ingest", GOOD, Content_Type=kind), 415)["hint"]


COMPRESSED: dict[str, Callable[[], bytes]] = {
    "not at all": lambda: GOOD,
    "gzip": lambda: gzip.compress(GOOD),
    "cut off": lambda: gzip.compress(GOOD)[:-5],
    "a bomb": lambda: gzip.compress(bytes(200 * MIB), compresslevel=1)[:MIB],
    "zlib": lambda: zlib.compress(GOOD),
    "twice": lambda: gzip.compress(gzip.compress(GOOD)),
}


@pytest.mark.parametrize(
    ("coding", "how"),
    [
        ("gzip", "not at all"),
        ("gzip", "gzip"),
        ("gzip", "cut off"),
        ("gzip", "a bomb"),
        ("deflate", "not at all"),
        ("deflate", "zlib"),
        ("br", "not at all"),
        ("zstd", "not at all"),
        ("GZip", "not at all"),
        ("gzip, gzip", "twice"),
        ("nonsense", "not at all"),
        ("", "not at all"),
    ],
)
async def test_a_compressed_body_is_refused_unread(refusing: Door, coding: str, how: str) -> None:
    body = COMPRESSED[how]()
    found = assert_problem(await refusing.ask("POST", "/api/ingest", body, Content_Encoding=coding), 415)
    assert "Content-Encoding" in found["hint"]


async def test_a_body_may_have_a_mebibyte_and_no_byte_more(refusing: Door) -> None:
    shell = b'{"unknown": "%s"}'
    room = MIB - len(shell % b"")
    assert "unknown" in str(await post(refusing, shell % (b"x" * room)))
    found = assert_problem(await refusing.ask("POST", "/api/ingest", shell % (b"x" * (room + 1))), 413)
    assert "1048576 bytes" in found["detail"]


async def test_a_hundred_megabytes_in_chunks_are_refused_at_the_first(refusing: Door) -> None:
    async with refusing.connection() as line:
        await line.say(b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            await line.say(b"100000\r\n" + b"x" * MIB + b"\r\n")
        assert_problem(await line.answer(), 413)


@pytest.mark.parametrize(
    "rest",
    [
        b"ZZ\r\n",
        b"5\r\nab\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"5 ;\x00\r\n",
        b"2\r\n{}XX\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
    ],
)
async def test_broken_chunks_are_refused(refusing: Door, rest: bytes) -> None:
    async with refusing.connection() as line:
        await line.say(b"POST /send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + rest)
        assert_problem(await line.answer(), 400)


@pytest.mark.parametrize("body", [b"", b" ", b"\n", b"\t \r\n"])
@pytest.mark.parametrize("kind", [None, "application/json"])
async def test_an_empty_body_is_accepted_if_no_field_is_required(refusing: Door, body: bytes, kind: str | None) -> None:
    headers = {} if kind is None else {"Content_Type": kind}
    path = "/api/messages/01890a5d-ac96-774b-bcce-b302099a8057/close"
    assert_problem(await refusing.ask("POST", path, body, **headers), 404)


@pytest.mark.parametrize("body", ["\v", "\f", "\xa0", "\u2028", "\x1c"])
async def test_white_space_that_json_does_not_allow_is_not_an_empty_body(refusing: Door, body: str) -> None:
    path = "/api/messages/01890a5d-ac96-774b-bcce-b302099a8057/close"
    assert_problem(await refusing.ask("POST", path, body.encode(), Content_Type="application/json"), 400)


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", 'application/json;charset="UTF-8"', "APPLICATION/JSON",
     "application/x+json", "application/x-www-form-urlencoded"],
)  # fmt: skip
async def test_json_is_taken_under_each_of_its_names(shared: Door, kind: str) -> None:
    assert (await shared.ask("POST", "/api/ingest", GOOD, Content_Type=kind)).status == 202


async def test_json_is_taken_without_a_content_type(shared: Door) -> None:
    head = b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
    assert (await shared.raw(head + GOOD)).status == 202


async def test_any_character_is_returned_unchanged(shared: Door) -> None:
    text = "".join(map(chr, [*range(1, 0xD800, 7), *range(0xE000, 0xFFFF, 11), *range(0x10000, 0x10FFFF, 997)]))
    message_id = (await shared.ingest(content=text)).json["id"]
    assert (await shared.ask("GET", f"/api/messages/{message_id}")).json["content"] == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (5, "5"),
        (-1001234, "-1001234"),
        ("007", "7"),
        ("-0042", "-42"),
        (2**53 - 1, str(2**53 - 1)),
        ("@Some_One", "@some_one"),
    ],
)
async def test_a_chat_is_kept_in_one_spelling(shared: Door, given: object, kept: str) -> None:
    message_id = (await shared.ingest(channel_id=given)).json["id"]
    assert (await shared.ask("GET", f"/api/messages/{message_id}")).json["to"] == [kept]


async def test_a_number_with_all_its_digits_is_json_still(refusing: Door) -> None:
    assert "unknown" in str(await post(refusing, json.dumps({"unknown": 10**399}).encode()))


async def test_a_refused_request_leaves_nothing_of_the_chat_that_it_names(refusing: Door) -> None:
    assert_problem(await refusing.ask("POST", "/api/ingest", {"content": "x", "to": ["-100987654", "nobody"]}))
