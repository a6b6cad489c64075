"""Keeps Telegram's updates coming: finds out who the bot is, fetches what waited, polls, and watches the polling."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import telegram
from telegram.error import Conflict, InvalidToken, NetworkError, TelegramError
from telegram.ext import Application, ExtBot

from notifybot import inbox, outbox
from notifybot.clock import Clock
from notifybot.database import Database
from notifybot.in_flight import MOST_WITH_HANGING
from notifybot.logs import redact
from notifybot.telegram_http import AiohttpRequest, Timeouts
from notifybot.update_queue import DurableQueue

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
PAGE = 100
FIRST_RETRY, LONGEST_RETRY = timedelta(milliseconds=200), timedelta(milliseconds=800)
REFUSED_RETRY = timedelta(minutes=1)
LONG_POLL = timedelta(seconds=10)
POLLING = Timeouts(write=2.0, read=5.0)
"""Beside its long poll. What waits comes at once: where nothing comes for so much longer, the connection is dead."""
CONNECTIONS = MOST_WITH_HANGING + 20
"""For calls, and for probes and answers to presses beside them."""
WATCH_EVERY = timedelta(seconds=10)
SILENT_AFTER = timedelta(seconds=75)
"""A getUpdates takes at most its long poll and the request's time-outs: 22 s. Three times that without one means that
the polling died, however it did."""
STOP_WITHIN = timedelta(seconds=5)
log = logging.getLogger(__name__)

App = Application[Any, Any, Any, Any, Any, Any]


class LinkState(StrEnum):
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


class LinkedBot(ExtBot[None]):
    """A bot that starts without Telegram when it was told who it is, and tells when updates were last fetched, or why
    they could not be."""

    __slots__ = ("_fetching", "_is_in_trouble", "_known", "_on_error", "_on_fetch", "_pause")

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        known: dict[str, Any] | None,
        on_fetch: Callable[[], None],
        on_error: Callable[[TelegramError], None],
    ) -> None:
        super().__init__(
            token,
            base_url=f"{base_url}/bot",
            base_file_url=f"{base_url}/file/bot",
            request=AiohttpRequest(max_connections=CONNECTIONS),
            get_updates_request=AiohttpRequest(max_connections=2, timeouts=POLLING),
        )
        is_same_bot = known is not None and str(known["id"]) == token.partition(":")[0]
        self._known = known if is_same_bot else None
        self._on_fetch = on_fetch
        self._on_error = on_error
        self._pause = FIRST_RETRY
        self._is_in_trouble = False
        self._fetching: asyncio.Timeout | None = None
        """Ends the fetch that is under way."""

    async def get_me(self, **options: Any) -> telegram.User:
        known, self._known = self._known, None
        if known is None:
            return await super().get_me(**options)
        self._bot_user = telegram.User.de_json(known, self)
        return self._bot_user

    async def get_updates(self, *args: Any, **options: Any) -> tuple[telegram.Update, ...]:
        """No updates where Telegram cannot be reached, after a pause: the library's own would grow to 30 s, and presses
        would wait so long after Telegram is back. The first fetch after trouble does not wait: so it is known at once
        that Telegram is back."""
        if self._is_in_trouble:
            options["timeout"] = 0
        try:
            updates = await self._fetch(*args, **options)
        except TimeoutError:  # renew_polling
            self._is_in_trouble = True
            return ()
        except NetworkError as error:
            self._is_in_trouble = True
            self._on_error(error)
            await asyncio.sleep(self._pause.total_seconds())
            self._pause = min(self._pause * 2, LONGEST_RETRY)
            return ()
        self._pause, self._is_in_trouble = FIRST_RETRY, False
        self._on_fetch()
        return updates

    async def _fetch(self, *args: Any, **options: Any) -> tuple[telegram.Update, ...]:
        try:
            async with asyncio.timeout(None) as self._fetching:
                return await super().get_updates(*args, **options)
        finally:
            self._fetching = None

    async def renew_polling(self) -> None:
        """Fetch updates over a new connection, at once. The old ones are closed: what stalls below TLS would keep its
        place in the pool for ever."""
        if self._fetching is not None:
            self._fetching.reschedule(0)
        request = self._request[0]
        with contextlib.suppress(TelegramError):
            await request.shutdown()
        await request.initialize()


class TelegramLink:
    """The state of the connection to Telegram, and the task that keeps it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.state = LinkState.OFF
        self.reason: str | None = None
        """Why it is not up, for people."""
        self.last_fetch: datetime | None = None
        self._heard_at = clock.now()
        """When polling last brought updates or an error."""
        self.caught_up = asyncio.Event()
        """What waited at Telegram, and what was stored before, has been handled."""
        self.restarts = 0
        self._polling: LinkedBot | None = None
        self._renewed_at = clock.now()

    def note_fetch(self) -> None:
        self.last_fetch = self._heard_at = self._clock.now()
        self._become(LinkState.UP, None)

    async def note_return(self) -> None:
        """Telegram answers after it did not: updates are fetched anew, for their connection may have died meanwhile."""
        now = self._clock.now()
        if self._polling is not None and now - self._renewed_at >= LONG_POLL:
            self._renewed_at = now
            await self._polling.renew_polling()

    async def run(self, application: App, bot: LinkedBot, queue: DurableQueue) -> None:
        """Handle what was stored, connect, catch up, and poll until cancelled."""
        self._become(LinkState.CONNECTING, "connecting to Telegram")
        await self._until_it_answers(application.initialize)
        if not application.running:
            await application.start()
        for payload in await self._database.read(inbox.waiting):
            await queue.put_stored(telegram.Update.de_json(json.loads(payload), bot))
        await queue.join()
        await self._until_it_answers(bot.get_me)
        await self._database.write(partial(outbox.remember_identity, identity=bot.bot.to_dict()))
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

    async def _fetch_waiting(self, bot: LinkedBot, queue: DurableQueue) -> None:
        """Fetch without waiting until nothing waits: presses count before overdue escalations go out."""
        offset = None
        while True:
            updates: tuple[telegram.Update, ...] = ()
            try:
                updates = await bot.get_updates(offset, PAGE, timeout=0, allowed_updates=ALLOWED_UPDATES)
            except TelegramError as error:
                self.note_error(error)
                return  # polling goes on trying
            for update in updates:
                await queue.put(update)
            await queue.join()
            if not updates:
                return
            offset = updates[-1].update_id + 1

    async def _poll(self, application: App, bot: LinkedBot) -> None:
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

    async def _watch(self, bot: LinkedBot) -> None:
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
                self._become(LinkState.REFUSED, "Telegram does not know this bot token")
            case Conflict():
                self._become(LinkState.CONFLICT, "another program fetches the updates of this bot")
            case _:
                self._become(LinkState.AWAY, f"Telegram cannot be reached: {reason}")

    def _become(self, state: LinkState, reason: str | None) -> None:
        if state is not self.state:
            level = logging.INFO if state in (LinkState.UP, LinkState.CONNECTING) else logging.WARNING
            log.log(level, "telegram", extra={"action": "telegram_link", "state": str(state), "reason": reason})
        self.state, self.reason = state, reason
