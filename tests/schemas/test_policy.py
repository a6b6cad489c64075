"""Policies of alerts, by name or inline, and warnings in /health about policies that reach no one."""

import os
from pathlib import Path

import pytest

from tests.auth.test_local_callers import NOBODY, call
from tests.support.door import Door, Json, assert_problem, door

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOOD: Json = {"content": "disk full", "channel_id": -1001234}
STEP: Json = {"after": "5m", "to": [-1005]}
OWN: Json = {"steps": [STEP]}
CONFIG = """
alerts:
  policies:
    night: {steps: [{after: 5m, to: [anna]}, {after: 20m, to: [-1005, anna]}], remind_every: 10m}
accounts: {anna@example.org: anna}
"""


def config(folder: Path, *, allow: str = '["*"]') -> str:
    return f'socket: {{path: {folder}/s, mode: "0666", allow: {allow}}}\n{CONFIG}'


@pytest.mark.parametrize(
    "value",
    [True, 0, 5, 1.5, [], ["night"], "", "x" * 129, {}, {"name": "night"}, OWN | {"more": 1}, {"steps": []},
     {"steps": STEP}, {"steps": [STEP] * 21}, {"steps": [{"after": "5m"}]}, {"steps": [{"to": [-1005]}]},
     {"steps": [{**STEP, "after": "never"}]}, {"steps": [{**STEP, "after": 0}]}, {"steps": [{**STEP, "to": []}]},
     {"steps": [{**STEP, "to": None}]}, {"steps": [{**STEP, "to": "anna"}]}, {"steps": [{**STEP, "more": 1}]},
     {"steps": [STEP, STEP]}, {"steps": [STEP, {**STEP, "after": "1m"}]}, OWN | {"repeat": -1}, OWN | {"repeat": 101},
     OWN | {"repeat": "2"}, OWN | {"repeat": None}, OWN | {"close_after": "soon"}, OWN | {"remind_every": []}],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
async def test_a_policy_is_a_name_or_well_formed_steps(refusing: Door, value: object) -> None:
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD | {"policy": value}), 400)
    assert [problem["loc"] for problem in found["errors"]] == [["policy"]]


async def test_an_error_in_a_policy_names_its_location(refusing: Door) -> None:
    value = {"steps": [STEP, {"after": "x", "to": [-1005]}]}
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD | {"policy": value}), 400)
    assert found["detail"].startswith("policy: steps.1.after: a span is written like 30s")


@pytest.mark.parametrize("value", ["59s", 1, "30s"], ids=repr)
@pytest.mark.parametrize("where", ["message", "policy"])
async def test_nobody_is_reminded_more_than_once_a_minute(refusing: Door, value: object, where: str) -> None:
    more = {"remind_every": value} if where == "message" else {"policy": OWN | {"remind_every": value}}
    found = assert_problem(await refusing.ask("POST", "/api/ingest", GOOD | more), 400)
    assert found["detail"] == "remind_every must be at least 1m, or never."


async def test_an_unknown_policy_is_refused_and_the_nearest_named(folder: Path) -> None:
    async with door(folder, config(folder)) as opened:
        found = assert_problem(await opened.ask("POST", "/api/ingest", GOOD | {"policy": "Night"}), 400)
        assert (found["detail"], found["hint"]) == ("There is no policy 'Night'.", "Did you mean night?")


@pytest.mark.parametrize("path", ["/api/ingest", "/send"])
async def test_a_policy_is_named_on_every_way_of_sending(folder: Path, path: str) -> None:
    text = "content" if path == "/api/ingest" else "text"
    async with door(folder, config(folder)) as opened:
        body = {text: "disk full", "to": [-1001234], "policy": "night", "acknowledge": True}
        accepted = (await opened.ask("POST", path, body)).json
        found = (await opened.ask("GET", f"/api/messages/{accepted['id']}")).json
    assert (found["policy"], found["steps_left"]) == ("night", 2)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/ingest", {"content": "disk full", "acknowledge": False}),
        ("/send", {"text": "disk full"}),
        ("/api/events", {"event": "post_success", "data": {"title": "x", "platform": "y"}}),
    ],
)
async def test_a_policy_on_a_notice_is_refused_with_a_hint(folder: Path, path: str, body: Json) -> None:
    async with door(folder, config(folder)) as opened:
        asked = {"to": [-1001234], **body}
        for policy in ("night", OWN):
            found = assert_problem(await opened.ask("POST", path, asked | {"policy": policy}), 400)
            assert found["detail"].startswith("policy: a policy is for an alert, and this is a notice: set acknowledge")


async def test_beside_a_policy_escalate_after_only_switches_it_off(folder: Path) -> None:
    async with door(folder, config(folder)) as opened:
        body = GOOD | {"policy": "night", "escalate_after": "10m"}
        found = assert_problem(await opened.ask("POST", "/api/ingest", body), 400)
        assert found["detail"] == "The policy already defines when an alert escalates."
        off = (await opened.ask("POST", "/api/ingest", body | {"escalate_after": "never"})).json
    assert off["escalate_at"] is None


async def test_recipients_of_inline_steps_must_exist(folder: Path) -> None:
    async with door(folder, config(folder)) as opened:
        own = {"steps": [STEP, {"after": "10m", "to": ["ana"]}]}
        found = assert_problem(await opened.ask("POST", "/api/ingest", GOOD | {"policy": own}), 400)
        assert (found["detail"], found["hint"].split("?")[0]) == ("There is no recipient 'ana'.", "Did you mean anna")
        known = {"steps": [STEP, {"after": "10m", "to": ["anna"]}]}
        found = assert_problem(await opened.ask("POST", "/api/ingest", GOOD | {"policy": known}), 409)
        assert found["detail"] == "anna has no chat with the bot yet."


@pytest.mark.skipif(os.getuid() != 0, reason="only root can call under other accounts")
async def test_inline_steps_reach_only_allowed_recipients(folder: Path) -> None:
    """Policies in the config are not checked, since the operator is responsible for them."""
    async with door(folder, config(folder, allow='["-1001234"]')) as opened:
        assert_problem(await call(opened, NOBODY, "POST", "/api/ingest", GOOD | {"policy": OWN}), 403)
        answer = await call(opened, NOBODY, "POST", "/api/ingest", GOOD | {"policy": "night"})
    assert answer.status == 202


async def test_health_names_the_steps_that_reach_nobody(folder: Path) -> None:
    async with door(folder, config(folder)) as opened:
        warnings = (await opened.ask("GET", "/health")).json["warnings"]
    assert (
        "These policy steps reach no one, because none of their recipients has a chat with the bot: night, step 1."
        in warnings
    )
    said = "No escalation channel is configured: unacknowledged alerts without a policy escalate to no one."
    assert said in warnings
