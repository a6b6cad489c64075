"""Scheduled and repeating messages over HTTP: fields, responses and ownership."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from notifybot.times.clock import Clock
from tests.support.door import Answer, Door, Json, assert_problem
from tests.support.remote import MESSAGE, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEVER = "01890a5d-ac96-774b-bcce-b302099a8057"
NOW = Clock().now().replace(microsecond=0)
FAR = NOW + timedelta(days=300)


def at(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def form(fields: dict[str, str], *files: tuple[str, bytes]) -> dict[str, Any]:
    """Return the body and the header of a multipart form; each file is a part named `files`."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    heads = [f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n' for name, _ in files]
    body = "".join(parts).encode()
    for head, (_, content) in zip(heads, files, strict=True):
        body += head.encode() + content + b"\r\n"
    return {"body": body + b"--x--\r\n", "Content_Type": "multipart/form-data; boundary=x"}


async def person(door: Door, chat_id: int) -> str:
    subscribed = await door.ask("POST", "/subscribe-user", {"chat_id": chat_id, "chat_name": f"anna{chat_id}"})
    return str(subscribed.json["user_id"])


async def repeating(door: Door, **fields: object) -> Json:
    answer = await door.ingest(**{"repeat": "0 9 * * *", "time_zone": "Europe/Berlin"} | fields)
    assert answer.status == 202, answer.body
    return answer.json


# send_at and repeat, on every endpoint for sending


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/ingest", {"content": "x", "channel_id": -1001}),
        ("/send", {"text": "x", "to": [-1001]}),
        ("/api/events", {"event": "post_success", "to": [-1001]}),
    ],
)
async def test_a_message_can_be_scheduled(shared: Door, path: str, fields: Json) -> None:
    answer = await shared.ask("POST", path, fields | {"send_at": at(FAR)})
    assert answer.status in (200, 202)
    assert (answer.json["status"], answer.json["send_at"]) == ("scheduled", at(FAR))
    assert "schedule_id" not in answer.json
    message = (await shared.ask("GET", f"/api/messages/{answer.json['id']}")).json
    assert (message["send_at"], message["schedule_id"], message["deliveries"]) == (at(FAR), None, [])


async def test_a_time_that_has_passed_means_now(shared: Door) -> None:
    answer = await shared.ingest(send_at="2001-01-01T00:00:00Z")
    assert answer.json["status"] == "initiated"


async def test_a_time_without_an_offset_is_one_of_the_zone_beside_it(shared: Door) -> None:
    year = NOW.year + 1
    plain = await shared.ingest(send_at=f"{year}-07-01T09:00")
    zoned = await shared.ingest(send_at=f"{year}-07-01T09:00", time_zone="berlin")
    assert plain.json["send_at"] == f"{year}-07-01T09:00:00.000Z"
    assert zoned.json["send_at"] == f"{year}-07-01T07:00:00.000Z"


async def test_a_repeating_message_lists_its_next_times(shared: Door) -> None:
    accepted = await repeating(shared)
    times = accepted["next_times"]
    assert len(times) == 5
    assert times == sorted(times)
    assert accepted["send_at"] == times[0]
    schedule = (await shared.ask("GET", f"/api/schedules/{accepted['schedule_id']}")).json
    assert (schedule["repeat"], schedule["time_zone"]) == ("0 9 * * *", "Europe/Berlin")
    assert (schedule["next_times"], schedule["message"]["id"]) == (times, accepted["id"])


async def test_the_same_request_again_is_answered_with_the_same_times(shared: Door) -> None:
    first = await repeating(shared, client_id="weekly", repeat="@weekly")
    again = await shared.ingest(repeat="@weekly", time_zone="Europe/Berlin", client_id="weekly")
    assert again.status == 200
    assert again.json == first | {"duplicate": True}


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"send_at": "tomorrow"}, "send_at"), ({"send_at": 5}, "send_at"), ({"send_at": "2026-02-30"}, "send_at"),
        ({"repeat": "0 9 * *"}, "repeat"), ({"repeat": "every 5s"}, "repeat"), ({"repeat": "0 0 30 2 *"}, "repeat"),
        ({"repeat": 5}, "repeat"), ({"repeat": ""}, "repeat"), ({"repeat": "x" * 1000}, "repeat"),
        ({"time_zone": "Europe/Berln"}, "time_zone"), ({"time_zone": 1}, "time_zone"),
        ({"time_zone": "/etc/passwd"}, "time_zone"),
        ({"template": 5}, "template"), ({"remind_every": "x"}, "remind_every"), ({"policy": 5}, "policy"),
    ],
)  # fmt: skip
async def test_nonsense_is_refused(refusing: Door, fields: Json, loc: str) -> None:
    found = assert_problem(await refusing.ingest(**fields), 400)
    assert [loc] in [problem["loc"] for problem in found["errors"]]


@pytest.mark.parametrize(
    "fields",
    [
        {"send_at": "9999-12-31T23:59:59Z"}, {"send_at": "9999-12-31T23:59:59", "time_zone": "America/New_York"},
        {"repeat": "@daily", "send_at": "2150-01-01T00:00:00Z"}, {"repeat": "@daily", "dedup_key": "disk"},
        {"policy": "nights"}, {"template": "nothing"},
    ],
)  # fmt: skip
async def test_contradictory_fields_are_refused(refusing: Door, fields: Json) -> None:
    assert_problem(await refusing.ingest(**fields), 400)


async def test_a_wrong_zone_names_the_nearest(refusing: Door) -> None:
    found = assert_problem(await refusing.ingest(repeat="@daily", time_zone="Europe/Berln"), 400)
    assert "Europe/Berlin" in found["detail"]


# Schedules


async def test_the_next_times_can_be_previewed(refusing: Door) -> None:
    asked = {"repeat": "@yearly", "time_zone": "Europe/Berlin", "begins_at": "2028-03-01T00:00"}
    answer = await refusing.ask("POST", "/api/schedules/preview", asked)
    assert answer.json == {
        "repeat": "0 0 1 1 *",
        "time_zone": "Europe/Berlin",
        "next_times": [f"{year}-12-31T23:00:00.000Z" for year in range(2028, 2033)],
    }
    assert_problem(await refusing.ask("POST", "/api/schedules/preview", {}), 400)
    assert_problem(await refusing.ask("POST", "/api/schedules/preview", {"repeat": "often"}), 400)


async def test_the_preview_reaches_as_far_ahead_as_sending(refusing: Door) -> None:
    for begins_at in ("9999-12-31T23:59:59Z", "2999-01-01T00:00"):
        times = {"repeat": "@daily", "time_zone": "Asia/Tokyo"}
        sent = assert_problem(await refusing.ingest(**times, send_at=begins_at), 400)
        asked = {**times, "begins_at": begins_at}
        found = assert_problem(await refusing.ask("POST", "/api/schedules/preview", asked), 400)
        assert found["detail"] == sent["detail"] == "This message would not be sent within ten years."


@pytest.mark.parametrize("repeat", ["@daily", "* * * * *", "every 15m"])
async def test_a_start_in_the_distant_past_lists_times_from_now_on(refusing: Door, repeat: str) -> None:
    asked = {"repeat": repeat, "begins_at": "0001-01-01T00:00:00Z"}
    answer = await refusing.ask("POST", "/api/schedules/preview", asked)
    assert (answer.status, len(answer.json["next_times"])) == (200, 5)
    assert answer.json["next_times"][0] > "2026"


async def test_a_rule_may_list_every_minute_hour_and_day(refusing: Door) -> None:
    every = [",".join(map(str, range(*ends))) for ends in ((60,), (24,), (1, 32), (1, 13), (7,))]
    assert len(" ".join(every)) > 300
    answer = await refusing.ask("POST", "/api/schedules/preview", {"repeat": " ".join(every)})
    assert (answer.status, len(answer.json["next_times"])) == (200, 5)
    found = assert_problem(
        await refusing.ask("POST", "/api/schedules/preview", {"repeat": "0," * 256 + "0 * * * *"}), 400
    )
    assert found["detail"] == "repeat: this is longer than 512 characters"


async def test_a_schedule_is_paused_resumed_and_ended(shared: Door) -> None:
    accepted = await repeating(shared)
    path = f"/api/schedules/{accepted['schedule_id']}"
    paused = (await shared.ask("POST", f"{path}/pause")).json
    assert (paused["next_times"], paused["paused_at"] is None) == ([], False)
    again = (await shared.ask("POST", f"{path}/pause")).json
    assert again == paused
    resumed = (await shared.ask("POST", f"{path}/resume")).json
    assert (len(resumed["next_times"]), resumed["paused_at"]) == (5, None)
    ended = (await shared.ask("DELETE", path)).json
    assert (ended["message"], ended["next_times"], ended["ended_at"] is None) == (None, [], False)
    assert (await shared.ask("DELETE", path)).json == ended
    assert_problem(await shared.ask("POST", f"{path}/resume"), 409)
    assert (await shared.ask("GET", f"/api/messages/{accepted['id']}")).json["status"] == "cancelled"
    listed = (await shared.ask("GET", "/api/schedules")).json["schedules"]
    assert accepted["schedule_id"] not in [each["id"] for each in listed]


async def test_a_schedule_can_come_at_other_times(shared: Door) -> None:
    accepted = await repeating(shared)
    path = f"/api/schedules/{accepted['schedule_id']}"
    changed = await shared.ask("PATCH", path, {"repeat": "@hourly", "time_zone": "UTC"})
    assert (changed.json["repeat"], changed.json["time_zone"]) == ("0 * * * *", "UTC")
    assert changed.json["message"]["send_at"] == changed.json["next_times"][0]
    assert_problem(await shared.ask("PATCH", path, {}), 400)
    assert_problem(await shared.ask("PATCH", path, {"repeat": "often"}), 400)
    assert_problem(await shared.ask("PATCH", path, {"every": "@hourly"}), 400)


@pytest.mark.parametrize("schedule_id", [NEVER, "x", "%00"])
@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")])
async def test_an_unknown_schedule_is_not_found(refusing: Door, schedule_id: str, method: str, below: str) -> None:
    assert_problem(await refusing.ask(method, f"/api/schedules/{schedule_id}{below}"), 404)


async def test_a_schedule_of_another_account_is_not_found(folder: Path) -> None:
    async with wire(folder) as line:
        own, other = [await line.token(name, scopes=["send", "read"]) for name in ("backup", "dash")]
        accepted = (await line.bearing(own, "POST", "/api/ingest", MESSAGE | {"repeat": "@daily"})).json
        path = f"/api/schedules/{accepted['schedule_id']}"
        assert (await line.bearing(own, "GET", path)).status == 200
        for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
            assert_problem(await line.bearing(other, method, path + below), 404)
        assert_problem(await line.bearing(other, "PATCH", path, {"repeat": "@hourly"}), 404)
        assert (await line.bearing(other, "GET", "/api/schedules")).json == {"schedules": []}
        assert (await line.bearing(other, "GET", "/pending-messages")).body == b"[]"


@pytest.mark.parametrize("to", ["-1001", "team"], ids=["to others", "to a name that is gone"])
async def test_a_token_that_cannot_reach_the_recipients_can_only_stop_the_schedule(folder: Path, to: str) -> None:
    account = {"account": "ops", "scopes": ["send", "read"]}
    asked = {"content": "disk full", "to": [to], "repeat": "@daily"}
    async with wire(folder, config="recipients: {team: ['-1002']}") as line:
        free, bound = await line.token("free", **account), await line.token("bound", **account, to=["-1002"])
        accepted = (await line.bearing(free, "POST", "/api/ingest", asked)).json
    path = f"/api/schedules/{accepted['schedule_id']}"
    async with wire(folder) as line:
        assert (await line.bearing(bound, "GET", path)).status == 200
        paused = await line.bearing(bound, "POST", f"{path}/pause")
        assert (paused.status, paused.json["paused_at"] is None) == (200, False)
        assert_problem(await line.bearing(bound, "POST", f"{path}/resume"), 403)
        assert_problem(await line.bearing(bound, "PATCH", path, {"repeat": "@hourly"}), 403)
        ended = await line.bearing(bound, "DELETE", path)
        assert (ended.status, ended.json["ended_at"] is None) == (200, False)


# /schedule-message and /pending-messages


async def later(door: Door, fields: dict[str, str], *files: tuple[str, bytes]) -> Answer:
    return await door.ask("POST", "/schedule-message", **form(fields, *files))


async def test_a_form_sends_a_message_with_files_to_several_people(shared: Door) -> None:
    anna, ben = await person(shared, 501), await person(shared, 502)
    fields = {"target_user_id": f"{anna}, {ben}", "message": "the plan", "scheduled_timestamp": "2031-05-04T10:00:00"}
    answer = await later(shared, fields, ("plan.txt", b"one"), ("map.txt", b"two"))
    assert answer.status == 200, answer.body
    found = answer.json
    assert (
        found.items()
        >= {
            "target_user_id": [anna, ben],
            "message": "the plan",
            "scheduled_timestamp": "2031-05-04T10:00:00",
            "file_paths": [f"uploads/{found['id']}_1_plan.txt", f"uploads/{found['id']}_2_map.txt"],
            "is_sent": False,
            "status": "scheduled",
            "schedule_id": None,
            "results": [],
        }.items()
    )
    assert datetime.fromisoformat(found["created_at"]).tzinfo is None
    file = await shared.ask("GET", f"/files/{found['id']}_1_plan.txt")
    assert file.body == b"one"
    pending = json.loads((await shared.ask("GET", "/pending-messages")).body)
    assert found in pending


async def test_times_are_shown_in_utc_and_missing_files_as_null(shared: Door) -> None:
    fields = {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": "2031-05-04T10:00:00+02:00"}
    found = (await later(shared, fields)).json
    assert (found["scheduled_timestamp"], found["file_paths"]) == ("2031-05-04T08:00:00", None)


@pytest.mark.parametrize(
    ("written", "echoed"),
    [
        ("2020-05-04T10:00:00Z", "2020-05-04T10:00:00"),
        ("2020-05-04T10:00:00", "2020-05-04T10:00:00"),
        ("2020-05-04T10:00:00+02:00", "2020-05-04T08:00:00"),
        ("2020-05-04 10:00", "2020-05-04T10:00:00"),
        ("2020-05-04", "2020-05-04T00:00:00"),
        ("1971-01-01T00:00:00Z", "1971-01-01T00:00:00"),
        ("2020-02-29T23:59:59.9Z", "2020-02-29T23:59:59"),
        ("2020-05-04T10:00:00-11:30", "2020-05-04T21:30:00"),
    ],
)
async def test_a_past_time_is_echoed_and_the_message_is_pending_until_it_is_sent(
    shared: Door, written: str, echoed: str
) -> None:
    found = (await later(shared, {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": written})).json
    pending = json.loads((await shared.ask("GET", "/pending-messages")).body)
    (listed,) = [each for each in pending if each["id"] == found["id"]]
    assert found["scheduled_timestamp"] == listed["scheduled_timestamp"] == echoed
    assert not found["is_sent"] and not listed["is_sent"]


async def test_what_was_never_meant_for_a_time_is_not_pending(shared: Door) -> None:
    now = (await shared.ingest()).json["id"]
    assert now not in [each["id"] for each in json.loads((await shared.ask("GET", "/pending-messages")).body)]


async def test_the_same_as_a_plain_form_and_as_json(shared: Door) -> None:
    fields = {"target_user_id": "-1001,-1002", "message": "a & b", "scheduled_timestamp": "2031-05-04T10:00:00Z"}
    body = urlencode(fields).encode()
    plain = await shared.ask("POST", "/schedule-message", body, Content_Type="application/x-www-form-urlencoded")
    as_json = await shared.ask("POST", "/schedule-message", fields)
    for answer in (plain, as_json):
        assert (answer.status, answer.json["message"], answer.json["target_user_id"]) == (
            200,
            "a & b",
            ["-1001", "-1002"],
        )


async def test_empty_form_fields_count_as_missing(shared: Door) -> None:
    fields = {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": "2031-05-04T10:00:00Z"}
    answer = await later(shared, fields | {"repeat": "", "time_zone": "", "client_id": ""})
    assert (answer.status, answer.json["schedule_id"]) == (200, None)


async def test_it_may_repeat(shared: Door) -> None:
    fields = {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": "2031-05-04T10:00:00Z"}
    found = (await later(shared, fields | {"repeat": "0 9 * * *", "time_zone": "Africa/Cairo"})).json
    assert found["scheduled_timestamp"] == found["next_times"][0] == "2031-05-05T06:00:00"
    schedule = (await shared.ask("GET", f"/api/schedules/{found['schedule_id']}")).json
    assert schedule["message"]["id"] == found["id"]


async def test_a_time_in_the_past_sends_at_once(shared: Door) -> None:
    fields = {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": "2001-05-04T10:00:00Z"}
    found = (await later(shared, fields)).json
    assert (found["status"], found["is_sent"], found["results"][0]["status"]) == ("initiated", False, "waiting")


async def test_each_unknown_person_is_named(refusing: Door) -> None:
    fields = {"target_user_id": f"-1001,{NEVER},770,nemo", "message": "x", "scheduled_timestamp": "2031-05-04"}
    found = assert_problem(await later(refusing, fields), 400)
    assert found["detail"] == f"There are no recipients '{NEVER}', '770', 'nemo'."


async def test_a_person_may_be_named_by_their_chat(shared: Door) -> None:
    await person(shared, 503)
    fields = {"target_user_id": "503", "message": "x", "scheduled_timestamp": "2031-05-04T10:00:00Z"}
    assert (await later(shared, fields)).json["target_user_id"] == ["503"]


@pytest.mark.parametrize(
    ("wrong", "loc"),
    [
        ({"message": " "}, ["message"]), ({"scheduled_timestamp": "soon"}, ["scheduled_timestamp"]),
        ({"target_user_id": " , "}, ["target_user_id"]), ({"repeat": "often"}, ["repeat"]),
        ({"time_zone": "Mars"}, ["time_zone"]), ({"more": "x"}, ["more"]),
    ],
)  # fmt: skip
async def test_a_wrong_form_is_refused(refusing: Door, wrong: Json, loc: list[str]) -> None:
    fields = {"target_user_id": "-1001", "message": "x", "scheduled_timestamp": "2031-05-04T10:00:00Z"} | wrong
    found = assert_problem(await later(refusing, fields), 400)
    assert loc in [problem["loc"] for problem in found["errors"]]


@pytest.mark.parametrize("body", [b"message=%ff", b"message=a&message=b", b"&".join(b"a%d=1" % n for n in range(200))])
async def test_a_broken_form_is_refused(refusing: Door, body: bytes) -> None:
    answer = await refusing.ask("POST", "/schedule-message", body, Content_Type="application/x-www-form-urlencoded")
    assert_problem(answer, 400)


async def test_pending_messages_are_sorted_by_time_and_include_paused_ones(shared: Door) -> None:
    later_one = (await shared.ingest(send_at=at(FAR + timedelta(days=2)))).json["id"]
    sooner = (await shared.ingest(send_at=at(FAR + timedelta(days=1)))).json["id"]
    paused = await repeating(shared)
    await shared.ask("POST", f"/api/schedules/{paused['schedule_id']}/pause")
    ids = [each["id"] for each in json.loads((await shared.ask("GET", "/pending-messages")).body)]
    assert [each for each in ids if each in (later_one, sooner)] == [sooner, later_one]
    assert paused["id"] in ids
    await shared.ask("POST", f"/api/messages/{sooner}/cancel")
    assert sooner not in [each["id"] for each in json.loads((await shared.ask("GET", "/pending-messages")).body)]
