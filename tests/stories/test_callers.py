"""Guarantees to callers: idempotent requests, waiting for the outcome, people by name."""

import asyncio

from tests.stories.places import Place
from tests.stories.world import World


async def test_a_repeated_request_answers_with_the_first_message(world: World, ops: Place) -> None:
    body = {"content": "disk full", "channel_id": ops.id, "client_id": "job-1"}
    first = await world.ask("POST", "/api/ingest", body)

    again = await world.ask("POST", "/api/ingest", body)

    assert (first.status, first.body["duplicate"]) == (202, False)
    assert (again.status, again.body["duplicate"]) == (200, True)
    assert again.body["id"] == first.body["id"]
    await ops.receives("disk full")
    await world.is_quiet()
    assert len(ops.texts) == 1


async def test_the_idempotency_key_header_identifies_a_request(world: World, ops: Place) -> None:
    body = {"content": "disk full", "channel_id": ops.id}
    first = await world.ask("POST", "/api/ingest", body, **{"Idempotency-Key": "job-1"})

    again = await world.ask("POST", "/api/ingest", {**body, "client_id": "job-1"})

    assert (again.status, again.body["id"]) == (200, first.body["id"])


async def test_another_request_under_the_same_client_id_is_a_conflict(world: World, ops: Place) -> None:
    first = await world.alert("disk full", to=ops, client_id="job-1")

    other = await world.ask(
        "POST", "/api/ingest", {"content": "disk empty", "channel_id": ops.id, "client_id": "job-1"}
    )

    assert other.status == 409
    assert first.id in other.body["detail"]


async def test_repeated_at_the_same_time_a_request_is_accepted_once(world: World, ops: Place) -> None:
    body = {"content": "disk full", "channel_id": ops.id, "client_id": "job-1"}

    answers = await asyncio.gather(*(world.ask("POST", "/api/ingest", body) for _ in range(10)))

    assert sorted(answer.status for answer in answers) == [200] * 9 + [202]
    assert len({answer.body["id"] for answer in answers}) == 1


async def test_a_client_id_survives_a_restart_and_is_free_after_a_week(world: World, ops: Place) -> None:
    first = await world.notice("backup done", to=ops, client_id="job-1")
    await ops.receives("backup done")
    await world.restarts()
    body = {"content": "backup done", "channel_id": ops.id, "client_id": "job-1", "acknowledge": False}
    assert (await world.ask("POST", "/api/ingest", body)).body["id"] == first.id

    await world.later(days=8)

    assert (await world.ask("POST", "/api/ingest", body)).body["duplicate"] is False
    await ops.receives("backup done")


async def test_a_waiting_caller_gets_the_outcome(world: World, ops: Place) -> None:
    answer = await world.ask("POST", "/api/ingest?wait=30", {"content": "disk full", "channel_id": ops.id})

    post = await ops.receives("disk full")
    assert (answer.status, answer.body["status"]) == (200, "sent")
    assert answer.body["deliveries"][0]["telegram_message_ids"] == [post.message.id]


async def test_a_waiting_caller_gets_the_failure(world: World, ops: Place) -> None:
    world.sandbox.kick(ops.id)
    notice = {"content": "backup done", "channel_id": ops.id, "acknowledge": False}

    answer = await world.ask("POST", "/api/ingest?wait=30", notice)

    assert (answer.status, answer.body["status"]) == (200, "failed")
    assert answer.body["deliveries"][0]["last_error"] == "bot was kicked from the supergroup chat"


async def test_a_wait_that_times_out_reports_the_message_as_pending(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    asking = asyncio.create_task(
        world.ask("POST", "/api/ingest?wait=5", {"content": "disk full", "channel_id": ops.id})
    )

    while not asking.done():
        await world.passes(seconds=1)

    answer = await asking
    assert (answer.status, answer.body["status"]) == (202, "initiated")
    assert answer.body["deliveries"][0]["status"] == "waiting"


async def test_a_person_is_sent_to_by_user_id(world: World) -> None:
    anna = await world.subscriber("Anna")
    (person,) = (await world.ask("GET", "/subscribed-users")).body

    answer = await world.ask("POST", "/send", {"user": person["user_id"], "text": "your job is done"})

    assert (answer.status, answer.body["escalate_at"]) == (200, None)
    assert (await anna.receives("your job is done")).buttons == []


async def test_an_unknown_user_is_refused_with_the_nearest_name(world: World) -> None:
    await world.subscriber("Annabel")
    (person,) = (await world.ask("GET", "/subscribed-users")).body

    answer = await world.ask("POST", "/send", {"user": "Anabel", "text": "hello"})

    assert answer.status == 400
    assert answer.body["hint"].startswith(f"Did you mean Annabel (user_id {person['user_id']})?")
    assert (await world.get("/api/messages"))["messages"] == []


async def test_a_chat_is_subscribed_once_on_a_callers_word(world: World) -> None:
    anna = world.person("Anna")
    world.sandbox.say(anna.user, "hello")
    body = {"chat_id": anna.id, "chat_name": "anna"}

    first = await world.ask("POST", "/subscribe-user", body)
    again = await world.ask("POST", "/subscribe-user", body)

    assert (first.status, first.body["chat_id"], first.body["chat_name"]) == (200, str(anna.id), "anna")
    assert again.status == 400
    await world.ask("POST", "/send", {"user": first.body["user_id"], "text": "welcome"})
    await anna.receives("welcome")


async def test_the_list_holds_the_newest_first_and_goes_on_with_its_cursor(world: World, ops: Place) -> None:
    sent = [await world.notice(f"report {n}", to=ops) for n in range(5)]

    first = await world.get("/api/messages?limit=3")
    rest = await world.get(f"/api/messages?limit=3&cursor={first['next_cursor']}")

    listed = [message["id"] for message in first["messages"] + rest["messages"]]
    assert listed == [each.id for each in reversed(sent)]
    assert rest["next_cursor"] is None


async def test_many_callers_at_once_are_all_accepted_and_each_message_is_shown_once(world: World) -> None:
    groups = [world.group(f"Group {n}") for n in range(5)]
    ahead = [world.notice(f"report {n}", to=group) for group in groups for n in range(40)]

    sent = await asyncio.gather(*ahead)

    assert len({each.id for each in sent}) == 200
    await world.sees(lambda: sum(len(group.texts) for group in groups) == 200, "all are shown")
    await world.is_quiet()
    for group in groups:
        assert sorted(group.texts) == sorted(f"report {n}" for n in range(40))
