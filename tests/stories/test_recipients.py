"""Recipients of a message: people, chats, channels, names in the config, lists, everyone."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Person, Place
from tests.stories.world import Answer, Json, Sent, World


async def user_id_of(world: World, person: Person) -> str:
    """Return the user_id of a person who has pressed /start."""
    everybody = (await world.ask("GET", "/subscribed-users")).body
    return next(str(each["user_id"]) for each in everybody if each["chat_id"] == str(person.id))


async def linked(world: World, name: str, account: str) -> Person:
    """Add a person linked to an account."""
    person = await world.subscriber(name)
    world.rows("UPDATE people SET account = ? WHERE chat_id = ?", account, str(person.id))
    return person


async def told(world: World, to: list[object], **fields: object) -> Json:
    """Send a notice to these recipients, and wait until it is sent."""
    answer = await world.ask(
        "POST", "/api/ingest?wait=30", {"content": "hello", "acknowledge": False, "to": to, **fields}
    )
    assert (answer.status, answer.body["status"]) == (200, "sent"), answer
    return dict(answer.body)


async def refused(world: World, to: list[object], status: int) -> Json:
    """Return the refusal for these recipients; nothing of the message is stored."""
    answer: Answer = await world.ask("POST", "/api/ingest", {"content": "hello", "to": to})
    assert answer.status == status, answer
    assert (await world.get("/api/messages"))["messages"] == []
    assert world.rows("SELECT id FROM posts WHERE reply IS NULL") == []
    return dict(answer.body)


def brought_by(message: Json) -> dict[str, str]:
    return {each["chat_id"]: each["recipient"] for each in message["deliveries"]}


@pytest.mark.both_databases
async def test_a_list_reaches_each_chat_once_and_names_the_recipient(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    world.sets(recipients={"ops": [ops.id], "backend": ["alice", "ops"], "all": ["backend", "bob", "@status"]})
    status = world.group("Status", "channel", username="status")
    await world.starts()
    alice, bob = await linked(world, "Alice", "alice"), await linked(world, "Bob", "bob")
    alices_id = await user_id_of(world, alice)

    message = await told(world, ["backend", alices_id, str(bob.id), "all", ops.id, "@Status"])

    for place in (ops, alice, bob, status):
        await place.receives("hello")
    assert brought_by(message) == {
        str(alice.id): "backend",
        str(ops.id): "backend",
        str(bob.id): str(bob.id),
        str(status.id): "all",
    }
    await world.is_quiet()
    assert [len(place.texts) for place in (ops, status)] == [1, 1]
    (listed,) = (await world.get("/api/messages"))["messages"]
    assert listed["to"] == ["backend", alices_id, str(bob.id), "all", str(ops.id), "@status"]


async def test_a_person_is_reached_by_every_alias_of_their_account(another: MakeWorld) -> None:
    world = await another(accounts={"alice@example.org": "alice"})
    await world.starts()
    alice = await linked(world, "Alice", "alice")

    for fields in ({"user": "alice@example.org"}, {"user": "alice"}, {"to": ["alice@example.org"]}):
        answer = await world.ask("POST", "/send", {"text": f"to {fields}", **fields})
        assert answer.status == 200, answer
        await alice.receives(f"to {fields}")


async def test_a_user_id_may_be_in_upper_case(world: World) -> None:
    anna = await world.subscriber("Anna")
    user_id = await user_id_of(world, anna)

    assert (await world.ask("POST", "/send", {"user": user_id.upper(), "text": "one"})).status == 200
    assert (await world.ask("POST", "/send", {"to": [user_id.upper()], "text": "two"})).status == 200

    await anna.receives("one")
    await anna.receives("two")


async def test_a_list_may_come_with_a_form(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    files = [("file", "a.txt", b"some text")]

    answer = await world.submit("/send", files, {"text": "see", "to": f'["{await user_id_of(world, anna)}", {ops.id}]'})

    assert answer.status == 200, answer
    message = await Sent(world, answer.body["id"], answer.body).becomes("sent")
    assert brought_by(message).keys() == {str(anna.id), str(ops.id)}


@pytest.mark.both_databases
async def test_subscribers_are_all_people_who_pressed_start(world: World) -> None:
    people = [await world.subscriber(f"Person {number}") for number in range(5)]

    message = await told(world, ["subscribers"])

    for person in people:
        await person.receives("hello")
    assert set(brought_by(message).values()) == {"subscribers"}
    assert len(message["deliveries"]) == 5


async def test_nobody_is_subscribed_yet(world: World) -> None:
    found = await refused(world, ["subscribers"], 409)
    assert found["detail"] == "Nobody is subscribed yet."


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("alcie", "Did you mean alice?"),
        ("ALICE", "Did you mean alice?"),
        ("bakend", "Did you mean backend?"),
        ("statsu_page", "Did you mean @status_page?"),
        ("Anabel", "Did you mean Annabel (user_id "),
        ("carrol", "Did you mean carol?"),
        ("dave@example.orgg", "Did you mean dave@example.org?"),
    ],
)
async def test_an_unknown_name_is_refused_with_a_suggestion(another: MakeWorld, wrong: str, right: str) -> None:
    world = await another(
        recipients={"backend": ["alice", "@status_page"]}, accounts={"carol": "carol", "dave@example.org": "dave"}
    )
    world.group("Status", "channel", username="status_page")
    await world.starts()
    await linked(world, "Alice", "alice")
    await world.subscriber("Annabel")

    found = await refused(world, [wrong], 400)

    assert found["detail"] == f"There is no recipient '{wrong}'."
    assert right in found["hint"]


async def test_every_unknown_name_is_listed_and_nobody_is_notified(world: World, ops: Place) -> None:
    found = await refused(world, [ops.id, "nobody", "no-one"], 400)

    assert found["detail"] == "There are no recipients 'nobody', 'no-one'."
    await world.is_quiet()
    assert ops.texts == []


async def test_a_long_list_of_unknown_names_is_cut_short(world: World) -> None:
    found = await refused(world, [f"name{number}" for number in range(100)], 400)
    assert found["detail"].endswith("'name9' and 90 more.")


async def test_a_name_in_the_config_is_not_a_user(another: MakeWorld) -> None:
    world = await another(recipients={"backend": ["alice"]})
    await world.starts()

    answer = await world.ask("POST", "/send", {"user": "backend", "text": "hello"})

    assert answer.status == 400
    assert answer.body["hint"].startswith("backend is a name in the config: send to it with `to`.")


@pytest.mark.parametrize("name", ["alice", "alice@example.org", "carol", "erin"])
async def test_a_known_person_without_a_chat_is_refused_with_what_to_do(another: MakeWorld, name: str) -> None:
    world = await another(recipients={"backend": ["erin"]}, accounts={"alice@example.org": "alice", "carol": "carol"})
    await world.starts()

    found = await refused(world, [name], 409)

    assert found["detail"] == f"{'alice' if '@' in name else name} has no chat with the bot yet."
    assert "/start" in found["hint"]
    assert (await world.ask("POST", "/send", {"user": name, "text": "x"})).status == 409


async def test_a_caller_without_a_chat_is_refused(world: World) -> None:
    first = await world.notice("x", to=world.group("Ops"))
    me = (await first.now())["account"]

    answer = await world.ask("POST", "/send", {"user": me, "text": "x"})

    assert (answer.status, answer.body["detail"]) == (409, f"{me} has no chat with the bot yet.")


async def test_a_member_without_a_chat_does_not_block_the_others(another: MakeWorld) -> None:
    world = await another(recipients={"oncall": ["alice", "bob"]})
    await world.starts()
    alice = await linked(world, "Alice", "alice")

    answer = await world.ask("POST", "/api/ingest", {"content": "disk full", "to": ["oncall"]})

    assert answer.status == 202, answer
    await alice.receives("disk full")
    timeline = (await world.get(f"/api/messages/{answer.body['id']}"))["timeline"]
    assert "Not notified, as they have no chat with the bot: bob." in [line["detail"] for line in timeline]


async def test_health_warns_of_members_without_a_chat(another: MakeWorld) -> None:
    world = await another(recipients={"backend": ["alice", "bob"], "oncall": ["backend", "carol", "@status"]})
    await world.starts()
    await linked(world, "Alice", "alice")

    warnings = (await world.get("/health"))["warnings"]
    assert "Listed in recipients or rotations, but have no chat with the bot: bob, carol." in warnings

    for account in ("bob", "carol"):
        await linked(world, account, account)
    assert not any("leave out" in warning for warning in (await world.get("/health"))["warnings"])


async def test_a_name_without_any_chat_is_refused(another: MakeWorld) -> None:
    world = await another(recipients={"backend": ["alice", "bob"], "oncall": ["backend"]})
    await world.starts()

    found = await refused(world, ["oncall"], 409)

    assert found["detail"] == "No member of oncall has a chat with the bot yet: alice, bob."


async def test_a_dedup_key_covers_all_recipients_in_any_order(world: World, ops: Place) -> None:
    other = world.group("Other")
    body: Json = {"content": "disk full", "to": [ops.id, other.id], "dedup_key": "disk"}
    first = await world.ask("POST", "/api/ingest", body)

    again = await world.ask("POST", "/api/ingest", {**body, "to": [other.id, ops.id]})
    to_one = await world.ask("POST", "/api/ingest", {**body, "to": [ops.id]})

    assert first.body["id"] == again.body["id"] != to_one.body["id"]


async def test_one_acknowledgement_shows_in_every_post(another: MakeWorld) -> None:
    world = await another(recipients={"oncall": ["alice", "bob"]})
    await world.starts()
    alice, bob = await linked(world, "Alice", "alice"), await linked(world, "Bob", "bob")
    await world.ask("POST", "/api/ingest", {"content": "disk full", "to": ["oncall"]})
    posts = [await person.receives("disk full") for person in (alice, bob)]

    await posts[0].pressed(alice)

    for post in posts:
        await post.becomes("Acknowledged by Alice", buttons=[])


async def test_one_failing_chat_is_reported_and_the_others_count(world: World, ops: Place) -> None:
    gone = world.group("Gone")
    world.sandbox.kick(gone.id)

    message = await told(world, [gone.id, ops.id])

    statuses = {each["recipient"]: each["status"] for each in message["deliveries"]}
    assert statuses == {str(gone.id): "failed", str(ops.id): "shown"}
