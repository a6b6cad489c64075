"""getUpdates: short and long polling, with one waiting call at a time."""

import asyncio
from collections.abc import Callable

from notifybot.sandbox.bot_api.wire import Params, conflict
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.signals import Signal
from notifybot.sandbox.world.world import World

MAX_UPDATES = 100
MAX_TIMEOUT_S = 50
WEBHOOK_ACTIVE = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"
SET_WEBHOOK = "terminated by setWebhook request"


class Polling:
    """The call waiting in getUpdates: at most one, the newest.

    `last_at` is the last call in Unix seconds; `waits_begun` counts the calls that had to wait.
    """

    def __init__(self) -> None:
        self.last_at: float | None = None
        self.waits_begun = 0
        self._waiting: int | None = None

    @property
    def is_active(self) -> bool:
        """Return True while a long poll waits."""
        return self._waiting is not None

    async def get_updates(self, world: World, params: Params, check: Callable[[], None]) -> list[JsonObject]:
        """Run a getUpdates call. `check` is called at each wake-up and raises to end the connection."""
        if world.webhook.url:
            raise conflict(WEBHOOK_ACTIVE)
        self.last_at = world.now()
        world.updates.allow(params.items("allowed_updates"))
        offset = params.integer("offset") or 0
        limit = min(max(params.integer("limit") or MAX_UPDATES, 1), MAX_UPDATES)
        found = world.updates.fetch(offset, limit, world.now())
        timeout = min(max(params.integer("timeout") or 0, 0), MAX_TIMEOUT_S)
        # Confirming and waiting count as changes; the call itself is logged only when it ends.
        world.events.changed.fire()
        if found or not timeout:
            return found
        return await self._wait(world, offset, limit, timeout, check)

    async def _wait(
        self, world: World, offset: int, limit: int, timeout: int, check: Callable[[], None]
    ) -> list[JsonObject]:
        """Wait for updates. Only one call may wait: an earlier one ends with 409."""
        self.waits_begun += 1
        mine = self._waiting = self.waits_begun
        arrived: Signal = world.updates.arrived
        arrived.fire()
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                await arrived.wait(left)
                self._check_still_alone(world, mine)
                check()
                if found := world.updates.fetch(offset, limit, world.now()):
                    return found
            return []
        finally:
            if self._waiting == mine:
                self._waiting = None
                self.last_at = world.now()

    def _check_still_alone(self, world: World, mine: int) -> None:
        if self._waiting != mine:
            raise conflict(OTHER_POLLER)
        if world.webhook.url:
            raise conflict(SET_WEBHOOK)
