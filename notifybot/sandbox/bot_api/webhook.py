"""Webhooks: setWebhook and the like, and delivery of updates by POST, one by one, retried until accepted."""

import ipaddress
import re
from urllib.parse import urlsplit

import aiohttp

from notifybot.sandbox.bot_api.wire import Params, bad_request
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.updates import Update
from notifybot.sandbox.world.world import DEFAULT_CONNECTIONS, Webhook, World

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 10.0
DELIVERY_TIMEOUT_S = 60.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


def set_webhook(world: World, params: Params) -> bool:
    """Start pushing updates. Telegram requires https on 443, 80, 88 or 8443; the sandbox accepts any loopback URL."""
    url = params.text("url") or ""
    if not url:
        return delete_webhook(world, params)
    _check_url(url)
    secret = params.text("secret_token")
    if secret is not None and not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    if params.flag("drop_pending_updates"):
        world.updates.clear()
    world.updates.allow(params.items("allowed_updates"))
    connections = params.integer("max_connections") or DEFAULT_CONNECTIONS
    _use(world, Webhook(url, secret, connections, has_certificate="certificate" in params.values))
    return True


def delete_webhook(world: World, params: Params) -> bool:
    if params.flag("drop_pending_updates"):
        world.updates.clear()
    _use(world, Webhook())
    return True


def get_webhook_info(world: World, params: Params) -> JsonObject:
    hook = world.webhook
    info: JsonObject = {"url": hook.url, "has_custom_certificate": hook.has_certificate}
    info["pending_update_count"] = len(world.updates)
    if not hook.url:
        return info
    info |= {"max_connections": hook.max_connections, "ip_address": "127.0.0.1"}
    if hook.last_error_at is not None:
        info |= {"last_error_date": int(hook.last_error_at), "last_error_message": hook.last_error}
    return info


def _use(world: World, hook: Webhook) -> None:
    """Change the webhook, and wake a waiting getUpdates and a delivery that waits to retry."""
    world.webhook = hook
    world.updates.arrived.fire()
    world.webhook_changed.fire()


async def deliver_updates(world: World) -> None:
    """Push updates to the webhook while the sandbox runs."""
    timeout = aiohttp.ClientTimeout(total=DELIVERY_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        retry = FIRST_RETRY_S
        while True:
            update = world.updates.first(world.now()) if world.webhook.url else None
            if update is None:
                await world.updates.arrived.wait(None)
            elif await _deliver(client, world, update):
                retry = FIRST_RETRY_S
            else:
                await world.webhook_changed.wait(retry)
                retry = min(2 * retry, LONGEST_RETRY_S)


async def _deliver(client: aiohttp.ClientSession, world: World, update: Update) -> bool:
    """Push an update; drop it if accepted, else record the error."""
    hook = world.webhook
    headers = {SECRET_HEADER: hook.secret_token} if hook.secret_token else {}
    try:
        async with client.post(hook.url, json=update.body, headers=headers, ssl=False) as answer:
            if 200 <= answer.status < 300:
                world.updates.confirm(update.update_id)
                return True
            error = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except TimeoutError:
        error = "Read timeout expired"
    except aiohttp.ClientError:
        error = "Connection refused"
    hook.last_error_at, hook.last_error = world.now(), error
    world.events.changed.fire()
    return False


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise bad_request("invalid webhook URL specified") from error
    if parts.scheme not in ("http", "https") or not host:
        raise bad_request("invalid webhook URL specified")
    if not is_loopback(host):
        raise bad_request("bad webhook: the sandbox delivers to loopback addresses only")


def is_loopback(host: str) -> bool:
    """Return True for localhost and loopback addresses."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
