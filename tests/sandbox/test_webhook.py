"""Webhooks: updates are pushed one by one, with the secret, and retried until accepted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api


@dataclass
class Receiver:
    """A bot's web server: answers with the given statuses, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    taken: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    secrets: list[str | None] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            await self.taken.put(await request.json())
        return web.Response(status=status)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self.taken.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def test_updates_are_pushed_in_order_with_the_secret(
    api: Api, anna: User, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.say(anna, "waiting since before")
    await api("setWebhook", url=receiver.url, secret_token="s3cret_-")
    sandbox.say(anna, "new")
    assert (await receiver.next())["message"]["text"] == "waiting since before"
    assert (await receiver.next())["message"]["text"] == "new"
    assert set(receiver.secrets) == {"s3cret_-"}


async def test_an_update_is_retried_until_it_is_accepted(
    api: Api, anna: User, sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.statuses = [500, 404]
    await api("setWebhook", url=receiver.url)
    sandbox.say(anna, "insisting")
    assert (await receiver.next())["message"]["text"] == "insisting"
    info = (await api("getWebhookInfo")).result
    assert info["last_error_message"] == "Wrong response from the webhook: 404 Not Found"


async def test_an_unreachable_receiver_is_noted_and_updates_wait(api: Api, anna: User, sandbox: Sandbox) -> None:
    await api("setWebhook", url="http://127.0.0.1:1/hook")
    sandbox.say(anna, "nobody listens")
    await sandbox.wait_for(lambda: sandbox.world.webhook.last_error)
    info = (await api("getWebhookInfo")).result
    assert (info["pending_update_count"], info["last_error_message"]) == (1, "Connection refused")


async def test_a_new_webhook_is_used_at_once(api: Api, anna: User, sandbox: Sandbox, receiver: Receiver) -> None:
    await api("setWebhook", url="http://127.0.0.1:1/hook")
    sandbox.say(anna, "first try fails")
    await sandbox.wait_for(lambda: sandbox.world.webhook.last_error)
    await api("setWebhook", url=receiver.url)
    assert (await receiver.next())["message"]["text"] == "first try fails"


async def test_pending_updates_can_be_dropped(api: Api, anna: User, sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.say(anna, "old")
    await api("setWebhook", url=receiver.url, drop_pending_updates=True)
    sandbox.say(anna, "new")
    assert (await receiver.next())["message"]["text"] == "new"
    assert (await api("deleteWebhook", drop_pending_updates=True)).result is True
    assert (await api("getWebhookInfo")).result["url"] == ""


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("ftp://127.0.0.1/", "invalid webhook URL specified"),
        ("https://", "invalid webhook URL specified"),
        ("http://127.0.0.1:port/", "invalid webhook URL specified"),
        ("https://example.org/hook", "bad webhook: the sandbox delivers to loopback addresses only"),
    ],
)
async def test_only_loopback_urls_are_accepted(api: Api, url: str, refusal: str) -> None:
    assert (await api("setWebhook", url=url)).refusal == f"400 Bad Request: {refusal}"


async def test_a_secret_has_few_characters(api: Api) -> None:
    answer = await api("setWebhook", url="http://127.0.0.1:1/", secret_token="what?")
    assert answer.refusal == "400 Bad Request: secret token contains unallowed characters"
