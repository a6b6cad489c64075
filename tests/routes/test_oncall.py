"""On call over HTTP: status, permissions and refusals."""

from pathlib import Path

import pytest

from tests.support.door import Json, assert_problem, door
from tests.support.remote import Wire, wire

FAR_AHEAD = "2999-01-05"
CONFIG = f"""
recipients: {{ops: ["-1001"], wide: [duty]}}
rotations:
  duty: {{members: ["-1002", alice], start: 2026-01-05, time_zone: Europe/Berlin}}
  "later/on": {{members: ["-1003"], start: {FAR_AHEAD}, otherwise: [ops]}}
"""
OVERRIDES = "/api/oncall/duty/overrides"


def only(document: Json, rotation: str) -> Json:
    (found,) = [each for each in document["rotations"] if each["rotation"] == rotation]
    return dict(found)


async def test_every_rotation_says_who_until_when_and_who_is_next(folder: Path) -> None:
    async with door(folder, CONFIG) as opened:
        document = (await opened.ask("GET", "/api/oncall")).json

    assert [each["rotation"] for each in document["rotations"]] == ["duty", "later/on"]
    duty = only(document, "duty")
    assert duty["time_zone"] == "Europe/Berlin"
    assert (duty["reason"], duty["overrides"]) == ("turn", [])
    assert duty["on_call"] in (["-1002"], ["alice"])
    assert duty["from"] < duty["until"] == duty["handover_at"] == duty["next"][0]["from"]
    assert [each["on_call"] for each in duty["next"]][1] == duty["on_call"]
    later = only(document, "later/on")
    assert (later["on_call"], later["names"], later["reason"]) == (["ops"], ["ops"], "otherwise")
    assert later["next"][0] == {
        "on_call": ["-1003"], "names": ["-1003"], "reason": "turn", "from": f"{FAR_AHEAD}T00:00:00.000Z", "until": None,
    }  # fmt: skip


async def test_without_rotations_the_list_is_empty(folder: Path) -> None:
    async with door(folder) as opened:
        assert (await opened.ask("GET", "/api/oncall")).json == {"rotations": []}
        assert_problem(await opened.ask("POST", OVERRIDES, {"member": "-1001", "for": "1h"}), 404)


async def test_an_override_lasts_until_it_is_ended(folder: Path) -> None:
    async with door(folder, CONFIG) as opened:
        made = await opened.ask("POST", OVERRIDES, {"member": -1001, "for": "2h"})
        assert made.status == 200
        assert (made.json["member"], made.json["rotation"], made.json["cancelled_at"]) == ("-1001", "duty", None)
        duty = only((await opened.ask("GET", "/api/oncall")).json, "duty")
        assert (duty["on_call"], duty["reason"], duty["until"]) == (["-1001"], "override", made.json["until"])
        assert [{**each, "on_call_until": duty["until"]} for each in duty["overrides"]] == [made.json]

        ended = await opened.ask("DELETE", f"/api/oncall/overrides/{made.json['id']}")
        assert ended.json["cancelled_at"] is not None
        assert (await opened.ask("DELETE", f"/api/oncall/overrides/{made.json['id']}")).json == ended.json
        assert only((await opened.ask("GET", "/api/oncall")).json, "duty")["reason"] == "turn"


async def test_a_rotation_can_have_a_slash_in_its_name(folder: Path) -> None:
    async with door(folder, CONFIG) as opened:
        made = await opened.ask("POST", "/api/oncall/later%2Fon/overrides", {"member": "ops", "for": 60})
        assert made.json["rotation"] == "later/on"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"member": "-1001"}, 400, "give either for"),
        ({"member": "-1001", "for": "1h", "until": "2030-01-01T00:00:00Z"}, 400, "give either for"),
        ({"member": "-1001", "for": "never"}, 400, "give either for"),
        ({"member": "-1001", "for": 0}, 400, "give either for"),
        ({"member": "-1001", "until": "2020-01-01T00:00:00Z"}, 400, "must end after it starts"),
        ({"member": "-1001", "until": "2999-01-01T00:00:00Z"}, 400, "within 366 days"),
        ({"member": "-1001", "for": "366d", "from": "9999-12-31T23:00:00Z"}, 400, "within 366 days"),
        ({"member": "-1001", "for": "soon"}, 400, "for: a span is written like"),
        ({"member": "", "for": "1h"}, 400, "member: this is blank"),
        ({"member": True, "for": "1h"}, 400, "member: a recipient is"),
        ({"member": ["-1001"], "for": "1h"}, 400, "member: a recipient is"),
        ({"for": "1h"}, 400, "member: this field is required"),
        ({"member": "-1001", "for": "1h", "who": "me"}, 400, "who: this field is unknown"),
        ({"member": "nobody", "for": "1h"}, 400, "There is no recipient 'nobody'"),
        ({"member": "duty", "for": "1h"}, 400, "duty cannot be put on call"),
        ({"member": "wide", "for": "1h"}, 400, "wide cannot be put on call"),
        ({"member": "subscribers", "for": "1h"}, 400, "subscribers cannot be put on call"),
        ({"member": "alice", "for": "1h"}, 409, "alice has no chat"),
        ({"member": "7777777", "for": "1h"}, 409, "never seen the chat 7777777"),
        ({"member": 5, "for": "1h"}, 409, "never seen the chat 5"),
        ({"member": "-9999", "for": "1h"}, 409, "never seen the chat -9999"),
    ],
)
async def test_an_invalid_override_is_refused_with_the_reason(folder: Path, body: Json, status: int, said: str) -> None:
    async with door(folder, CONFIG) as opened:
        refusal = assert_problem(await opened.ask("POST", OVERRIDES, body), status)
        assert said in refusal["detail"], refusal
        assert only((await opened.ask("GET", "/api/oncall")).json, "duty")["overrides"] == []


@pytest.mark.parametrize("rotation", ["dutty", "overrides", "x" * 500, "%00", "a%20b"])
async def test_an_unknown_rotation_is_not_found(folder: Path, rotation: str) -> None:
    async with door(folder, CONFIG) as opened:
        body = {"member": "-1001", "for": "1h"}
        assert_problem(await opened.ask("POST", f"/api/oncall/{rotation}/overrides", body), 404)


@pytest.mark.parametrize("override", ["x", "01890a5d-ac96-774b-bcce-b302099a8057", "%00"])
async def test_an_unknown_override_is_not_found(folder: Path, override: str) -> None:
    async with door(folder, CONFIG) as opened:
        assert_problem(await opened.ask("DELETE", f"/api/oncall/overrides/{override}"), 404)


async def token(line: Wire, account: str, **more: object) -> dict[str, str]:
    secret = await line.token(account, account=account, scopes=["send", "read"], **more)
    return {"Authorization": f"Bearer {secret}"}


async def test_only_members_and_admins_change_who_is_on_call(folder: Path) -> None:
    body = {"member": "-1001", "for": "1h"}
    async with wire(folder, config=CONFIG) as line:
        alice, bob = await token(line, "alice"), await token(line, "bob")
        made = await line.ask("POST", OVERRIDES, body, **alice)
        assert (made.status, made.json["created_by"]) == (200, "account:alice")
        refusal = assert_problem(await line.ask("POST", OVERRIDES, body, **bob), 403)
        assert refusal["detail"] == "Only members of duty and admins may change who is on call."
        assert_problem(await line.ask("DELETE", f"/api/oncall/overrides/{made.json['id']}", **bob), 403)
        assert (await line.ask("GET", "/api/oncall", **bob)).status == 200
        assert (await line.socket.ask("DELETE", f"/api/oncall/overrides/{made.json['id']}")).status == 200


async def test_a_restricted_token_can_only_put_its_recipients_on_call(folder: Path) -> None:
    async with wire(folder, config=CONFIG) as line:
        bounded = await token(line, "alice", to=["ops"])
        assert (await line.ask("POST", OVERRIDES, {"member": "-1001", "for": "1h"}, **bounded)).status == 200
        assert_problem(await line.ask("POST", OVERRIDES, {"member": "-1005", "for": "1h"}, **bounded), 403)
