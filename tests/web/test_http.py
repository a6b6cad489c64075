"""HTTP: malformed requests, unknown paths and methods, and reuse of the connection afterwards."""

import asyncio
import contextlib

import pytest

from tests.support.door import Door, Line, assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
ROUTES = {
    "/": "GET, HEAD",
    "/api/ingest": "POST",
    "/send": "POST",
    "/api/messages": "GET, HEAD",
    "/api/messages/01890a5d-ac96-774b-bcce-b302099a8057": "GET, HEAD, PATCH",
    "/api/messages/01890a5d-ac96-774b-bcce-b302099a8057/close": "POST",
    "/subscribe-user": "POST",
    "/subscribed-users": "GET, HEAD",
    "/health": "GET, HEAD",
}


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"X" * 9000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET ?x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 3\r\n\r\n{}",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"POST /send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
async def test_a_malformed_request_gets_400_and_the_connection_closes(refusing: Door, data: bytes) -> None:
    async with refusing.connection() as line:
        await line.say(data)
        found = assert_problem(await line.answer(), 400)
        assert "HTTP" in found["hint"]
        assert await line.is_closed()


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/", "/api/ingest/", "/health/", "//", "//health", "/HEALTH", "/health%2F", "/.",
     "/api/../health", "/api/messages/", "/api/messages/x/y/z", "/api/messages//close", "/%00", "/%ff", "/%", "/%zz",
     "/%C3%A9", "/" + "x" * 8000, "/health;x", "/send%20", "/<script>", "/%0d%0aX-Evil:%201"],
)  # fmt: skip
async def test_a_path_that_is_not_there_is_404(refusing: Door, path: str) -> None:
    found = assert_problem(await refusing.ask("GET", path), 404)
    assert "GET / lists" in found["detail"]


@pytest.mark.parametrize("path", ROUTES)
async def test_an_unsupported_method_gets_405_with_the_allowed_methods(refusing: Door, path: str) -> None:
    for method in {"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - set(ROUTES[path].split(", ")):
        answer = await refusing.ask(method, path)
        assert_problem(answer, 405)
        assert answer.headers["allow"] == ROUTES[path]


@pytest.mark.parametrize("path", [path for path, allowed in ROUTES.items() if allowed == "POST"])
async def test_a_get_on_a_post_only_route_is_refused(refusing: Door, path: str) -> None:
    assert_problem(await refusing.ask("GET", path), 405)


async def test_connect_leads_nowhere(refusing: Door) -> None:
    assert "elsewhere:443" in assert_problem(await refusing.ask("CONNECT", "elsewhere:443"), 404)["detail"]


@pytest.mark.parametrize("path", ["/", "/health", "/api/messages", "/subscribed-users"])
async def test_head_says_what_get_would_without_its_body(refusing: Door, path: str) -> None:
    async with refusing.connection() as line:
        await line.say(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = await line.answer(has_body=False)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
        await line.say(HEALTH)
        assert (await line.answer()).status == 200


@pytest.mark.parametrize("path", ["/api/ingest", "/send", "/nothing", "/health"])
async def test_an_expectation_that_cannot_be_met_is_refused(refusing: Door, path: str) -> None:
    assert "100-continue" in assert_problem(await refusing.ask("POST", path, {}, Expect="a miracle"), 417)["detail"]


async def test_expect_100_continue_gets_100(shared: Door) -> None:
    body = b'{"content": "x", "channel_id": 5}'
    async with shared.connection() as line:
        await line.say(
            b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert (await line.answer()).status == 100
        await line.say(body)
        assert (await line.answer()).status == 202


async def test_an_upgrade_request_is_answered_in_http_1(refusing: Door) -> None:
    answer = await refusing.ask("GET", "/health", Upgrade="websocket", Connection="Upgrade")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("POST /api/ingest", b"[]", 400),
        ("POST /api/ingest", b"\xff", 400),
        ("POST /nothing", b"{}", 404),
        ("PUT /api/ingest", b"{}", 405),
        ("GET /health", b"ignored", 200),
    ],
)
async def test_after_a_refusal_the_connection_is_still_good(
    refusing: Door, head: str, body: bytes, status: int
) -> None:
    async with refusing.connection() as line:
        for _ in range(3):
            length = f"Content-Length: {len(body)}"
            await line.say(f"{head} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode() + body)
            assert (await line.answer()).status == status


async def test_requests_on_the_heels_of_each_other_are_answered_in_order(refusing: Door) -> None:
    wrong = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    async with refusing.connection() as line:
        await line.say((HEALTH + wrong) * 50)
        answers = [(await line.answer()).status for _ in range(100)]
        assert answers == [200, 404] * 50


async def test_the_body_of_a_refused_large_request_is_not_read_as_a_request(refusing: Door) -> None:
    smuggled = b'POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n{"content": "x", "channel_id": 5}'
    body = smuggled * (2 * 1024 * 1024 // len(smuggled))
    async with refusing.connection() as line:
        await line.say(b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert_problem(await line.answer(), 413)


async def _go(line: Line) -> None:
    line.writer.close()
    with contextlib.suppress(ConnectionError):
        await line.writer.wait_closed()


INGEST = b"POST /api/ingest HTTP/1.1\r\nHost: x\r\n"
GOOD = b'{"content": "x", "channel_id": 5}'
HALVES = [
    b"",
    b"P",
    INGEST[:16],
    INGEST[:-5],
    INGEST,
    INGEST + b"Content-Length: 33\r\n\r\n",
    INGEST + b"Content-Length: 34\r\n\r\n" + GOOD,
    INGEST + b"Transfer-Encoding: chunked\r\n\r\n21\r\n" + GOOD,
    INGEST + b"Transfer-Encoding: chunked\r\n\r\n21\r\n" + GOOD + b"\r\n",
]


@pytest.mark.parametrize("half", HALVES, ids=lambda half: str(len(half)))
async def test_half_a_request_stores_nothing_and_logs_nothing(refusing: Door, half: bytes) -> None:
    async with refusing.connection() as line:
        await line.say(half)
        await _go(line)
    assert (await refusing.raw(HEALTH)).status == 200


@pytest.mark.parametrize("half", HALVES[5:], ids=lambda half: str(len(half)))
async def test_a_caller_who_stops_speaking_before_the_end_is_not_accepted(refusing: Door, half: bytes) -> None:
    async with refusing.connection() as line:
        await line.say(half)
        line.writer.write_eof()
        with contextlib.suppress(asyncio.IncompleteReadError):
            assert_problem(await line.answer(), 400)
