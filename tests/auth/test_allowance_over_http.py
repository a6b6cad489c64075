"""Allowances on the running daemon: 429 with Retry-After, nothing stored, named in /health; admins have none."""

from pathlib import Path

import pytest

from notifybot.auth.allowance import Allowed
from notifybot.errors import NotifybotError, TooManyRequests, Unavailable
from notifybot.web.allowance import refusal
from tests.support.door import Answer, assert_problem
from tests.support.remote import MESSAGE, Wire, wire

LIMITS = (
    "callers: {messages_per_minute: 3, alerts_per_minute: 5, bytes_per_minute: 20kB}\nattachments: {max_bytes: 20000}"
)
NOTICE = {**MESSAGE, "acknowledge": False}


async def send(line: Wire, token: str, body: object, path: str = "/api/ingest") -> Answer:
    return await line.bearing(token, "POST", path, body)


async def test_above_the_allowance_nothing_is_accepted_until_it_refills(folder: Path) -> None:
    async with wire(folder, config=LIMITS) as line:
        ann, bob = await line.token("ann"), await line.token("bob")
        notices = [await send(line, ann, NOTICE) for _ in range(4)]
        alerts = [await send(line, ann, MESSAGE) for _ in range(6)]
        before = await line.socket.kept()

        refused = await send(line, ann, {"user": "-1001", "text": "x"}, "/send")

        assert [answer.status for answer in notices] == [202] * 3 + [429]
        assert [answer.status for answer in alerts] == [202] * 5 + [429]
        problem = assert_problem(refused, 429)
        assert problem["detail"] == "ann sends too many messages."
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert await line.socket.kept() == before
        assert (await send(line, bob, NOTICE)).status == 202


async def test_health_names_the_callers_who_were_limited(folder: Path) -> None:
    async with wire(folder, config=LIMITS) as line:
        ann = await line.token("ann")
        for _ in range(5):
            await send(line, ann, NOTICE)

        warnings = (await line.socket.ask("GET", "/health")).json["warnings"]

        assert "Callers over their allowance in the last hour: ann (2 refused)." in warnings


async def test_admins_have_no_allowance(folder: Path) -> None:
    async with wire(folder, config=LIMITS) as line:
        assert {(await line.socket.ingest(acknowledge=False)).status for _ in range(10)} == {202}


async def test_bytes_are_counted_while_they_arrive(folder: Path) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + b"a" * 8000 + b"\r\n"
    fields = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("channel_id", "-1001"), ("acknowledge", "false"), ("type", "document"))
    )
    body = form + fields.encode() + b"--x--\r\n"
    async with wire(folder, config=LIMITS) as line:
        ann = await line.token("ann")
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        first, second, third = [await line.bearing(ann, "POST", "/api/ingest", body, **kind) for _ in range(3)]
        text = await send(line, ann, NOTICE)

        assert (first.status, second.status) == (202, 202)
        assert assert_problem(third, 429)["detail"] == "ann sends too many bytes."
        assert assert_problem(text, 429)["detail"] == "ann sends too many bytes."


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/ingest", TooManyRequests),
        ("/send", TooManyRequests),
        ("/api/events", TooManyRequests),
        ("/schedule-message", TooManyRequests),
        ("/in/grafana", Unavailable),
        ("/in/x/alertmanager", Unavailable),
        ("/in", TooManyRequests),
        ("/inbound", TooManyRequests),
    ],
)
def test_programs_that_post_to_an_inbound_route_are_asked_to_repeat(path: str, kind: type[NotifybotError]) -> None:
    assert type(refusal(path, "ann", Allowed.ALERTS, 7)) is kind
