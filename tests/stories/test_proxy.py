"""Telegram behind a SOCKS proxy: alerts and presses pass it, and its failures are in /health without its password."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.world import World
from tests.support.socks import SocksProxy, socks_proxy

NAME = "telegram.example"
WORD = "tulips-in-may"


@pytest.fixture
async def proxy() -> AsyncIterator[SocksProxy]:
    async with socks_proxy(users={"anna": WORD}) as opened:
        yield opened


async def behind(proxy: SocksProxy, another: MakeWorld) -> World:
    """Start a daemon that reaches Telegram only through the proxy, which alone knows its name."""
    world = await another()
    port = urlsplit(world.url).port or 0
    proxy.names[NAME] = port
    way = f"socks5://anna:{WORD}@127.0.0.1:{proxy.port}"
    world.sets(telegram={"base_url": f"http://{NAME}:{port}", "proxy": way})
    await world.starts()
    return world


async def test_an_alert_and_its_acknowledgement_pass_the_proxy(proxy: SocksProxy, another: MakeWorld) -> None:
    world = await behind(proxy, another)
    ops = world.group("Ops")
    alert = await world.alert("disk full", to=ops)

    await ops.receives("disk full").presses(by=world.member(ops, "Ben"))

    await alert.becomes("closed")
    assert all(name.startswith(f"{NAME}:") for name in proxy.asked)


async def test_health_says_what_is_wrong_with_the_proxy_until_it_is_back(proxy: SocksProxy, another: MakeWorld) -> None:
    await proxy.closes()
    world = await behind(proxy, another)
    ops = world.group("Ops")
    alert = await world.alert("disk full", to=ops)

    where = f"socks5://127.0.0.1:{proxy.port} (telegram.proxy)"
    await world.passes(seconds=10)
    health = await world.get("/health")

    assert health["status"] == "degraded"
    reason = f"Telegram cannot be reached: no connection to the proxy {where}: connection refused"
    assert reason in health["warnings"]
    await proxy.opens()
    await world.passes(seconds=10)
    await alert.becomes("sent")
    assert (await alert.events()).count("uncertain") == 0


@pytest.mark.parametrize(
    ("users", "reply", "says"),
    [({"anna": "another"}, 0, "refused the user or the password"), ({"anna": WORD}, 2, "its rules do not allow it")],
)
async def test_a_proxy_that_refuses_is_named_without_its_password(
    proxy: SocksProxy,
    another: MakeWorld,
    caplog: pytest.LogCaptureFixture,
    users: dict[str, str],
    reply: int,
    says: str,
) -> None:
    proxy.users, proxy.reply = users, reply
    world = await behind(proxy, another)
    await world.alert("disk full", to=world.group("Ops"))
    await world.passes(seconds=10)

    health = await world.get("/health")

    assert any(says in warning for warning in health["warnings"]), health["warnings"]
    assert WORD not in f"{health}{caplog.text}{world.config}"
