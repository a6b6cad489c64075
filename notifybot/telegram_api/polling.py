"""Keep updates coming: connect, fetch what waited, poll, and restart polling that died."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import telegram
from telegram.error import Conflict, InvalidToken, TelegramError
from telegram.ext import Application

from notifybot.posts import bot as posts_bot
from notifybot.storage.database import Database
from notifybot.system.logs import redact
from notifybot.telegram_api import update_store
from notifybot.telegram_api.bot import FIRST_RETRY, LONGEST_RETRY, PollingBot
from notifybot.telegram_api.update_queue import DurableQueue
from notifybot.times.clock import Clock

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
UPDATES_A_FETCH = 100
REFUSED_RETRY = timedelta(minutes=1)
LONG_POLL = timedelta(seconds=10)
WATCH_EVERY = timedelta(seconds=10)
SILENT_AFTER = timedelta(seconds=75)
"""A getUpdates takes at most its long poll and the request's time-outs: 22 s. Three times that without one means that
the polling died, however it did."""
STOP_WITHIN = timedelta(seconds=5)
log = logging.getLogger(__name__)

App = Application[Any, Any, Any, Any, Any, Any]


class ConnectionState(StrEnum):
    """How it stands with Telegram."""

    OFF = "off"
    """No token is configured."""
    CONNECTING = "connecting"
    UP = "ok"
    AWAY = "away"
    REFUSED = "refused"
    """Telegram does not know the token."""
    CONFLICT = "conflict"
    """Another program fetches this bot's updates."""


class TelegramConnection:
    """The state of the connection to Telegram, and the task that keeps it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.state = ConnectionState.OFF
        self.reason: str | None = None
        """Why it is not up, for people."""
        self.last_fetch: datetime | None = None
        self._heard_at = clock.now()
        """When polling last brought updates or an error."""
        self.caught_up = asyncio.Event()
        """What waited at Telegram, and what was stored before, has been handled."""
        self.restarts = 0
        self._polling: PollingBot | None = None
        self._renewed_at = clock.now()

    def note_fetch(self) -> None:
        self.last_fetch = self._heard_at = self._clock.now()
        self._become(ConnectionState.UP, None)

    async def note_return(self) -> None:
        """Telegram answers after it did not: updates are fetched anew, for their connection may have died meanwhile."""
        now = self._clock.now()
        if self._polling is not None and now - self._renewed_at >= LONG_POLL:
            self._renewed_at = now
            await self._polling.renew_polling()

    async def run(self, application: App, bot: PollingBot, queue: DurableQueue) -> None:
        """Handle what was stored, connect, catch up, and poll until cancelled."""
        self._become(ConnectionState.CONNECTING, "connecting to Telegram")
        await self._until_it_answers(application.initialize)
        if not application.running:
            await application.start()
        for payload in await self._database.read(update_store.waiting):
            await queue.put_stored(telegram.Update.de_json(json.loads(payload), bot))
        await queue.join()
        await self._until_it_answers(bot.get_me)
        await self._database.write(partial(posts_bot.remember_identity, identity=bot.bot.to_dict()))
        await self._until_it_answers(bot.delete_webhook)
        await self._fetch_waiting(bot, queue)
        self.caught_up.set()
        await self._poll(application, bot)

    async def stop(self, application: App) -> None:
        """End polling and the handlers, each within STOP_WITHIN: a handler that hangs must not hold up the stop."""
        updater = application.updater
        if updater is not None and updater.running:
            await self._within(updater.stop())
        if application.running:
            await self._within(application.stop())
        await self._within(application.shutdown())

    async def _within(self, stopping: Any) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN.total_seconds()):
                await stopping
        except (TimeoutError, TelegramError) as error:
            log.warning("a part did not stop cleanly", extra={"action": "stop", "reason": redact(str(error))})

    async def _until_it_answers(self, call: Callable[[], Any]) -> None:
        wait = FIRST_RETRY
        while True:
            try:
                await call()
                return
            except TelegramError as error:
                self.note_error(error)
                pause = REFUSED_RETRY if isinstance(error, InvalidToken) else wait
            await self._clock.sleep_until(self._clock.now() + pause)
            wait = min(wait * 2, LONGEST_RETRY)

    async def _fetch_waiting(self, bot: PollingBot, queue: DurableQueue) -> None:
        """Fetch without waiting until nothing waits: presses count before overdue escalations go out."""
        offset = None
        while True:
            updates: tuple[telegram.Update, ...] = ()
            try:
                updates = await bot.get_updates(offset, UPDATES_A_FETCH, timeout=0, allowed_updates=ALLOWED_UPDATES)
            except TelegramError as error:
                self.note_error(error)
                return  # polling goes on trying
            for update in updates:
                await queue.put(update)
            await queue.join()
            if not updates:
                return
            offset = updates[-1].update_id + 1

    async def _poll(self, application: App, bot: PollingBot) -> None:
        updater = application.updater
        assert updater is not None
        self._polling = bot
        while True:
            await updater.start_polling(
                timeout=LONG_POLL,
                bootstrap_retries=-1,
                allowed_updates=ALLOWED_UPDATES,
                error_callback=self.note_error,
            )
            await self._watch(bot)
            self.restarts += 1
            log.error("no updates could be fetched; polling starts anew", extra={"action": "polling_restarted"})
            await self._within(updater.stop())
            await bot.renew_polling()
            # Polling begins with this call too, but the library's pauses between its attempts grow to 30 s.
            await self._until_it_answers(bot.delete_webhook)

    async def _watch(self, bot: PollingBot) -> None:
        """Return once nothing was heard of polling for SILENT_AFTER, neither updates nor an error. While it fails it is
        alive, and needs no more than new connections now and then."""
        self._heard_at = renewed_at = self._clock.now()
        while (now := self._clock.now()) - self._heard_at < SILENT_AFTER:
            if now - max(renewed_at, self.last_fetch or renewed_at) >= SILENT_AFTER:
                renewed_at = now
                await bot.renew_polling()
            await self._clock.sleep_until(now + WATCH_EVERY)

    def note_error(self, error: TelegramError) -> None:
        self._heard_at = self._clock.now()
        reason = redact(str(error))
        match error:
            case InvalidToken():
                self._become(ConnectionState.REFUSED, "Telegram does not know this bot token")
            case Conflict():
                self._become(ConnectionState.CONFLICT, "another program fetches the updates of this bot")
            case _:
                self._become(ConnectionState.AWAY, f"Telegram cannot be reached: {reason}")

    def _become(self, state: ConnectionState, reason: str | None) -> None:
        if state is not self.state:
            level = logging.INFO if state in (ConnectionState.UP, ConnectionState.CONNECTING) else logging.WARNING
            log.log(level, "telegram", extra={"action": "telegram_link", "state": str(state), "reason": reason})
        self.state, self.reason = state, reason
