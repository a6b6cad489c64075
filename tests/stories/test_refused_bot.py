"""Telegram refuses the bot itself: stray and lasting 401s, a foreign webhook, another bot's token."""

import asyncio

import pytest
from aiohttp import ClientSession

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World

UNAUTHORIZED = {"error_code": 401, "description": "Unauthorized"}
HOOK = "https://127.0.0.1:8443/hook-with-a-secret"


async def polls(world: World) -> None:
    await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")


@pytest.mark.parametrize(
    ("method", "times", "refusal"),
    [
        ("getUpdates", 1, UNAUTHORIZED),
        ("getUpdates", 3, UNAUTHORIZED),
        ("sendMessage", 1, UNAUTHORIZED),
        ("sendMessage", 2, UNAUTHORIZED),
        ("sendMessage", 1, {"error_code": 404, "description": "Not Found"}),
        ("sendMessage", 1, {"error_code": 400, "description": "Bad Request: Logged out"}),
        ("answerCallbackQuery", 1, UNAUTHORIZED),
        ("editMessageText", 1, UNAUTHORIZED),
        ("getUpdates", 1, {"error_code": 404, "description": "Not Found"}),
    ],
)
async def test_a_stray_refusal_costs_seconds_and_nothing_else(
    world: World, ops: Place, method: str, times: int, refusal: dict[str, object]
) -> None:
    anna = world.member(ops, "Anna")
    await polls(world)
    world.sandbox.fault("error", method=method, times=times, **refusal)  # type: ignore[arg-type]

    alert = await world.alert("disk full", to=ops)
    await world.in_time(lambda: ops.texts, "the alert is shown")
    post = await ops.receives("disk full")
    assert await post.pressed(anna) == "Acknowledged."
    await world.in_time(lambda: "Acknowledged by Anna" in post.text, "the post says so")

    assert (await alert.now())["status"] == "closed"
    await polls(world)
    assert (await world.get("/health"))["telegram"] == "ok"


async def test_a_stray_refusal_at_the_start_costs_nothing(another: MakeWorld) -> None:
    world = await another()
    world.sandbox.fault("error", method="getMe", times=1, error_code=401, description="Unauthorized")

    await world.starts()

    await world.in_time(lambda: world.sandbox.polling.is_active, "the daemon polls")
    assert (await world.get("/health"))["telegram"] == "ok"


@pytest.mark.slow_because("Telegram refuses calls for seconds")
async def test_a_revoked_token_is_reported_at_once_and_costs_seconds_once_it_works(another: MakeWorld) -> None:
    world = await another(admins=["1000001"])
    await world.starts()
    ops = world.group("Ops")
    anna = await world.subscriber("Anna")
    world.sets(admins=[str(anna.id)])
    await world.restarts()
    await polls(world)

    world.sandbox.revoke_token()
    await world.sees(lambda: world.runtime.telegram.state == "refused", "the daemon notices")
    health = await world.get("/health")
    assert health["status"] == "degraded"
    assert any("Telegram refuses the bot token" in warning for warning in health["warnings"])
    alert = await world.alert("disk full", to=ops)
    await world.sees(lambda: world.rows("SELECT 1 FROM bot WHERE network_errors >= 3"), "delivery holds")
    assert ops.texts == []

    world.sandbox.revoke_token(False)
    began = asyncio.get_running_loop().time()
    await world.in_time(lambda: ops.texts, "the alert is shown")
    await world.sees(lambda: world.runtime.telegram.state == "ok", "the daemon recovers")

    assert asyncio.get_running_loop().time() - began < 5
    assert (await alert.delivery(ops))["attempts"] == 1
    await anna.receives("Telegram refused the bot")


async def test_a_ban_on_fetching_updates_is_reported_and_waited_out(world: World) -> None:
    await polls(world)
    world.sandbox.fault("flood", method="getUpdates", retry_after=3600)
    world.sandbox.say(world.person("Anna").user, "hello")
    await world.sees(lambda: world.runtime.telegram.state == "away", "the daemon notices")

    await world.later(minutes=50)

    assert any("wait 3600 s" in warning for warning in (await world.get("/health"))["warnings"])
    assert world.runtime.telegram.restarts == 0
    assert world.sandbox.world.limits.calls_into_ban == 0


async def test_a_webhook_set_by_hand_is_named_and_removed(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await polls(world)

    async with ClientSession(world.url) as other:
        await other.get(f"/bot{world.token}/setWebhook?url={HOOK}")
    query = post.press(anna)

    assert await post.answer_to(query) == "Acknowledged."
    assert world.sandbox.world.webhook.url == ""
    (warning,) = [each for each in (await world.get("/health"))["warnings"] if "webhook" in each]
    assert "127.0.0.1" in warning and "removed it" in warning
    assert "secret" not in warning


async def test_a_webhook_stays_if_the_config_keeps_it(another: MakeWorld) -> None:
    world = await another(telegram={"keep_webhook": True})
    async with ClientSession(world.url) as other:
        await other.get(f"/bot{world.token}/setWebhook?url={HOOK}")
    await world.starts()
    ops = world.group("Ops")

    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.sees(lambda: world.runtime.telegram.state == "webhook", "the daemon notices")

    health = await world.get("/health")
    assert health["status"] == "degraded"
    assert any("telegram.keep_webhook is true" in each for each in health["warnings"])
    assert world.sandbox.world.webhook.url == HOOK


async def test_another_bots_token_over_the_same_database_is_reported(another: MakeWorld) -> None:
    first = await another()
    await first.starts()
    await polls(first)
    await first.stops()
    second = await another(database={"url": first.store.url}, telegram={"token": f"600000002:{'b' * 40}"})
    second.sandbox.world.token = f"600000002:{'b' * 40}"
    second.sandbox.bot.id = 600000002
    second.sandbox.bot.username = "new_bot"
    second.sandbox.fault("away")
    await second.starts()
    said = "This database was used by @notifybot_sandbox_bot; the token is of "
    warnings = (await second.get("/health"))["warnings"]
    assert any(each.startswith(f"{said}the bot 600000002.") for each in warnings)

    second.sandbox.clear_faults()
    await second.in_time(lambda: "the token is of another bot" in second.log, "the daemon logs it")

    warnings = (await second.get("/health"))["warnings"]
    expected = f"{said}@new_bot."
    assert any(each.startswith(expected) for each in warnings)
    await second.later(days=8)
    assert not any(each.startswith(expected) for each in (await second.get("/health"))["warnings"])
