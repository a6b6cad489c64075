"""The connection to Telegram: unresolvable names, stalled connections, cut calls."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from benchmarks.field.field import field
from benchmarks.field.proxy import SilentProxy, silent_proxy
from benchmarks.field.ways import Way
from notifybot.delivery.in_flight import MAX_IN_FLIGHT, STALLED_AFTER
from notifybot.telegram_api.polling import LONG_POLL
from tests.stories.places import Place
from tests.stories.world import World

NAME = "telegram.invalid"
MESSAGES = 200
CUTS = 10
SEED = 11
SILENCE = timedelta(minutes=2)
LONGER_THAN_A_CALL_S = STALLED_AFTER.total_seconds() + 1
SOON_S = 20.0
"""Shorter than the timeout of hanging calls, and much longer than a busy machine needs."""


class Resolver:
    """A resolver in front of the system's, which alone knows NAME while `is_up`."""

    def __init__(self, really: Callable[..., object]) -> None:
        self._really = really
        self.is_up = True
        self.asked = 0

    def __call__(self, host: object, *args: object, **options: object) -> object:
        if host != NAME:
            return self._really(host, *args, **options)
        self.asked += 1
        if not self.is_up:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._really("127.0.0.1", *args, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    made = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


async def restarts_with(world: World, base_url: str) -> None:
    """Restart the daemon with another address for Telegram."""
    await world.stops()
    world.sets(telegram={"base_url": base_url})
    await world.starts()


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[SilentProxy]:
    """A proxy between the daemon and Telegram."""
    async with silent_proxy(world.url) as (made, url):
        await restarts_with(world, url)
        await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
        yield made
        await world.stops()


async def test_a_name_that_cannot_be_resolved_counts_as_telegram_away(
    world: World, ops: Place, resolver: Resolver
) -> None:
    resolver.is_up = False
    await restarts_with(world, f"http://{NAME}:{urlsplit(world.url).port}")
    alert = await world.alert("disk full", to=ops)
    await world.passes(seconds=20)
    health = await world.get("/health")
    assert (health["status"], health["waiting"]) == ("degraded", 1)
    assert any("the host name cannot be resolved" in warning for warning in health["warnings"])

    resolver.is_up = True
    await world.passes(seconds=1)

    await alert.becomes("sent")
    assert (await alert.events()).count("uncertain") == 0


async def test_a_name_that_cannot_be_resolved_is_looked_up_about_once_a_second(
    world: World, ops: Place, resolver: Resolver
) -> None:
    resolver.is_up = False
    await restarts_with(world, f"http://{NAME}:{urlsplit(world.url).port}")
    await world.alert("disk full", to=ops)
    await world.passes(seconds=20)
    resolver.asked = 0

    await world.passes(seconds=20)

    assert 10 <= resolver.asked <= 60


async def test_polling_over_a_stalled_connection_restarts(world: World, ops: Place, proxy: SilentProxy) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
    proxy.is_silent = True
    post.press(anna)
    await world.sees(lambda: not world.sandbox.polling.is_active, "Telegram has answered into the dead connection")
    proxy.is_silent = False

    world.clock.move(world.clock.at + SILENCE)

    await post.becomes("Acknowledged by Anna", buttons=[])
    assert world.runtime.telegram.restarts == 1


async def test_hanging_calls_do_not_block_delivery_once_telegram_responds(world: World, proxy: SilentProxy) -> None:
    proxy.is_silent = True
    groups = [world.group(f"Group {number}") for number in range(MAX_IN_FLIGHT + 5)]
    await world.knows(*groups)
    for group in groups:
        await world.notice("early", to=group)
    await world.sees(lambda: len(claimed(world)) == MAX_IN_FLIGHT, "as many calls hang as may be under way")
    later = world.group("Later")
    await world.alert("disk full", to=later)
    proxy.is_silent = False

    world.moves(seconds=LONGER_THAN_A_CALL_S)

    await later.receives("disk full")
    assert len(claimed(world)) >= MAX_IN_FLIGHT
    await proxy.close()


async def test_while_telegram_does_not_respond_only_probes_are_sent(
    world: World, ops: Place, proxy: SilentProxy
) -> None:
    proxy.is_silent = True
    await world.notice("early", to=ops)
    await gets_silence(proxy, b"/sendMessage")
    world.moves(seconds=LONGER_THAN_A_CALL_S)

    await world.alert("disk full", to=world.group("Later"))

    await gets_silence(proxy, b"/getMe")
    assert len(claimed(world)) == 1
    proxy.is_silent = False
    await proxy.close()


async def test_updates_are_fetched_again_as_soon_as_a_probe_is_answered(
    world: World, ops: Place, proxy: SilentProxy
) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    other = world.group("Other")
    await world.is_quiet()
    proxy.is_silent = True
    await world.notice("early", to=other)
    await gets_silence(proxy, b"/sendMessage")
    query = post.press(anna)
    await gets_silence(proxy, b"callback_query")
    proxy.is_silent = False

    world.moves(seconds=LONG_POLL.total_seconds())

    assert await post.answer_to(query) == "Acknowledged."
    assert world.runtime.telegram.restarts == 0
    await proxy.close()


async def gets_silence(proxy: SilentProxy, what: bytes) -> None:
    async with asyncio.timeout(SOON_S):
        await proxy.swallows(what)


def claimed(world: World) -> list[object]:
    return list(world.rows("SELECT id FROM chats WHERE claimed_post IS NOT NULL"))


@pytest.mark.slow_because("a daemon of its own, behind a proxy that speaks TLS")
async def test_a_stalled_tls_handshake_blocks_neither_messages_nor_presses() -> None:
    async with field(limits=False, way=Way.TLS) as run:
        await run.start()
        await run.polls()
        chat, other = run.people(2)
        await run.shows([await run.hand_over(chat, is_alert=True)])
        run.proxy.is_silent = True
        connections = run.proxy.connections
        await run.hand_over(chat)
        run.sandbox.press(chat, run.sandbox.messages(chat)[-1], "Acknowledge")
        await run.until(lambda: run.proxy.connections > connections, "a handshake stalls")
        run.proxy.is_silent = False

        await run.shows([await run.hand_over(other)], within_s=SOON_S)
        await run.until(lambda: run.sandbox.calls.of("answerCallbackQuery"), "the press is answered", within_s=SOON_S)


@pytest.mark.slow_because("two hundred messages")
async def test_cut_calls_lose_nothing_and_every_duplicate_is_explained(world: World) -> None:
    rng = random.Random(SEED)
    for number, skipped in enumerate(rng.sample(range(MESSAGES), CUTS)):
        kind = "cut_after" if number % 2 else "cut_before"
        world.sandbox.fault(kind, method="sendMessage", times=1, after=skipped)
    groups = [world.group(f"Group {number}") for number in range(40)]
    notices = [await world.notice(f"news {number}.", to=groups[number % 40]) for number in range(MESSAGES)]
    await world.passes(seconds=30)

    copies = [text for group in groups for text in group.texts]
    uncertain = [(await notice.events()).count("uncertain") for notice in notices]

    assert set(copies) == {f"news {number}." for number in range(MESSAGES)}
    assert len(copies) - MESSAGES == CUTS // 2
    assert sum(uncertain) == CUTS
    for number, times in enumerate(uncertain):
        assert copies.count(f"news {number}.") <= 1 + times
