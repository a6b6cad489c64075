"""Keep updates coming: connect, fetch what has waited, poll, and restart polling that died."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import telegram
from sqlmodel import Session
from telegram.error import InvalidToken, RetryAfter, TelegramError
from telegram.ext import Application

from notifybot.posts import bot as posts_bot
from notifybot.storage.database import Database
from notifybot.system.logs import redact
from notifybot.telegram_api import update_store
from notifybot.telegram_api.bot import FIRST_RETRY, MAX_RETRY, REFUSED_RETRY, PollingBot
from notifybot.telegram_api.connection_state import (
    ConnectionNotice,
    ConnectionState,
    notice_of,
    other_bot_notice,
    state_of,
    webhook_notice,
)
from notifybot.telegram_api.refusals import wait_of
from notifybot.telegram_api.results import read_stored
from notifybot.telegram_api.update_processor import MarkingProcessor
from notifybot.telegram_api.update_queue import DurableQueue
from notifybot.times.clock import Clock

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
LONG_POLL = timedelta(seconds=10)
WATCH_EVERY = timedelta(seconds=10)
SILENT_AFTER = timedelta(seconds=75)
"""A getUpdates takes at most 22 s: its long poll plus the request's timeouts. After three times that without one,
polling has died."""
CATCH_UP_WITHIN = timedelta(seconds=10)
"""Escalations wait this long for the presses that wait at Telegram."""
CATCH_UP_AGAIN = timedelta(milliseconds=200)
STOP_WITHIN = timedelta(seconds=5)
NOTICE_INTERVAL = timedelta(hours=1)
"""Between notices to the admins about the same state."""
WEBHOOK_REPORTED_FOR = timedelta(hours=1)
log = logging.getLogger(__name__)

App = Application[Any, Any, Any, Any, Any, Any]


class TelegramConnection:
    """The connection to Telegram: its state, and the task that keeps it up."""

    def __init__(self, database: Database, clock: Clock, *, keep_webhook: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._keep_webhook = keep_webhook
        self.state = ConnectionState.OFF
        self.reason: str | None = None
        """Why it is not up, in words."""
        self.last_fetch: datetime | None = None
        self._last_sign_at = clock.now()
        """Time when polling last returned updates or an error."""
        self.caught_up = asyncio.Event()
        """Set once the updates that waited, at Telegram or in the database, are handled."""
        self.restarts = 0
        self.notices: asyncio.Queue[ConnectionNotice] = asyncio.Queue()
        """For the admins, not sent yet."""
        self._noticed_at: dict[ConnectionState, datetime] = {}
        self._webhook_found = asyncio.Event()
        self._webhook: tuple[datetime, str] | None = None
        """The last webhook that someone else had set: when it was found, and what happened to it."""
        self._polling: PollingBot | None = None
        self._queue: DurableQueue | None = None
        self._away_since: datetime | None = None
        self._presses: asyncio.Task[None] | None = None
        """Fetches presses that wait, for all that wait for it."""
        self._renewed_at = clock.now()
        self.ahead_by: timedelta | None = None
        """How far our clock is ahead of Telegram's; None until a response said the time."""
        clock.on_step(self._follow_clock)

    def _follow_clock(self, step: timedelta) -> None:
        """Move what is remembered by a step of the clock."""
        self._last_sign_at += step
        self._away_since = None if self._away_since is None else self._away_since + step
        self._renewed_at += step
        self.last_fetch = None if self.last_fetch is None else self.last_fetch + step
        self.ahead_by = None if self.ahead_by is None else self.ahead_by + step
        self._noticed_at = {state: at + step for state, at in self._noticed_at.items()}
        self._webhook = None if self._webhook is None else (self._webhook[0] + step, self._webhook[1])

    def note_date(self, telegram_now: datetime) -> None:
        """Compare our clock with the time of a response."""
        self.ahead_by = self._clock.now() - telegram_now

    def note_fetch(self) -> None:
        self.last_fetch = self._last_sign_at = self._clock.now()
        self._set_state(ConnectionState.UP, None)

    async def note_return(self) -> None:
        """Fetch updates over a new connection when Telegram is back: the old one may have died. Return once those that
        waited are handled: presses count before anything else goes out."""
        now = self._clock.now()
        if self._polling is not None and now - self._renewed_at >= LONG_POLL:
            self._renewed_at = now
            await self._polling.renew_polling()
        await self._catch_up(gives_up=lambda: False)

    @property
    def is_away(self) -> bool:
        return self.state is ConnectionState.AWAY

    async def presses_first(self) -> None:
        """Return once the presses that wait at Telegram are handled, or after CATCH_UP_WITHIN; at once if Telegram has
        been away for longer than that."""
        if self._polling is None:
            return
        if self._presses is None or self._presses.done():
            self._presses = asyncio.create_task(self._catch_up(gives_up=self._has_been_away), name="presses")
        await asyncio.shield(self._presses)

    def _has_been_away(self) -> bool:
        return self._away_since is not None and self._clock.now() - self._away_since >= CATCH_UP_WITHIN

    async def _catch_up(self, gives_up: Callable[[], bool]) -> None:
        until = self._clock.now() + CATCH_UP_WITHIN
        try:
            async with asyncio.timeout(CATCH_UP_WITHIN.total_seconds()):  # a fetch may hang
                await self.caught_up.wait()
                while self._polling is not None and not await self._polling.catch_up():
                    if gives_up() or self._clock.now() >= until:
                        return
                    await self._clock.sleep_until(self._clock.now() + CATCH_UP_AGAIN)
                if self._queue is not None:
                    await self._queue.join()
        except TimeoutError:
            log.warning("presses may wait at Telegram, and cannot be fetched", extra={"action": "presses_wait"})

    async def run(self, application: App, bot: PollingBot, queue: DurableQueue) -> None:
        """Handle stored updates, connect, catch up, and poll until cancelled."""
        self._queue = queue
        self._set_state(ConnectionState.CONNECTING, "connecting to Telegram")
        await self._retry_until_up(application.initialize)
        if not application.running:
            await application.start()
        for update_id, payload in await self._database.read(update_store.waiting):
            await queue.put_stored(read_stored(update_id, payload, bot))
        await queue.join()
        await self._retry_until_up(bot.get_me)
        await self._remember_identity(bot)
        await self._retry_until_up(partial(self._settle_webhook, bot))
        await self._fetch_waiting(bot, queue)
        self.caught_up.set()
        await self._poll(application, bot)

    async def stop(self, application: App) -> None:
        """Stop polling and the handlers, each within STOP_WITHIN, as a handler may hang."""
        updater = application.updater
        if updater is not None and updater.running:
            await self._within(updater.stop())
        processor = application.update_processor
        if isinstance(processor, MarkingProcessor):
            processor.stop_repeating()
        if application.running:
            await self._within(application.stop())
        await self._within(application.shutdown())

    async def _within(self, stopping: Any) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN.total_seconds()):
                await stopping
        except (TimeoutError, TelegramError) as error:
            log.warning("task did not stop cleanly", extra={"action": "stop", "reason": redact(str(error))})

    async def _retry_until_up(self, call: Callable[[], Any]) -> None:
        wait = FIRST_RETRY
        while True:
            try:
                await call()
                return
            except TelegramError as error:
                self.note_error(error)
                pause = REFUSED_RETRY if isinstance(error, InvalidToken) else wait
            await self._clock.sleep_until(self._clock.now() + pause)
            wait = min(wait * 2, MAX_RETRY)

    async def _fetch_waiting(self, bot: PollingBot, queue: DurableQueue) -> None:
        """Fetch until nothing waits: presses count before overdue escalations go out."""
        offset = None
        while True:
            updates: tuple[telegram.Update, ...] = ()
            try:
                updates = await bot.get_updates(offset, allowed_updates=ALLOWED_UPDATES)
            except TelegramError as error:
                self.note_error(error)
                return  # polling keeps trying
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
            log.error("no updates could be fetched; polling restarts", extra={"action": "polling_restarted"})
            await self._within(updater.stop())
            await bot.renew_polling()

    async def _watch(self, bot: PollingBot) -> None:
        """Return after SILENT_AFTER without updates or an error. Polling that fails is alive, and only gets a new
        connection now and then."""
        self._last_sign_at = self._renewed_at = self._clock.now()
        while (now := self._clock.now()) - self._last_sign_at < SILENT_AFTER:
            if now - max(self._renewed_at, self.last_fetch or self._renewed_at) >= SILENT_AFTER:
                self._renewed_at = now
                await bot.renew_polling()
            await self._clock.wait(self._webhook_found, now + WATCH_EVERY)
            if self._webhook_found.is_set():
                with contextlib.suppress(TelegramError):  # the next getUpdates meets the webhook again
                    await self._settle_webhook(bot)

    async def _remember_identity(self, bot: PollingBot) -> None:
        remember = partial(_remember_identity, identity=bot.bot.to_dict(), now=self._clock.now())
        former = await self._database.write(remember)
        if former is None:
            return
        names = (posts_bot.name_of(former), posts_bot.name_of(bot.bot.to_dict()))
        log.warning("the token is of another bot", extra={"action": "other_bot", "former": names[0], "bot": names[1]})
        self.notices.put_nowait(other_bot_notice(*names))

    async def _settle_webhook(self, bot: PollingBot) -> None:
        """Name the webhook that someone has set for this bot, and remove it unless the config keeps it."""
        self._webhook_found.clear()
        url = (await bot.get_webhook_info()).url
        if not url:
            return
        if not self._keep_webhook:
            await bot.remove_webhook()
        now = self._clock.now()
        host = urlsplit(url).hostname or "an unknown host"  # the path may contain a secret
        facts = {"action": "webhook_found", "host": host, "is_removed": not self._keep_webhook}
        log.warning("a webhook was set for this bot", extra=facts)
        found = webhook_notice(host, is_kept=self._keep_webhook, now=now)
        self._webhook = (now, found.content)
        self._notify(ConnectionState.WEBHOOK, found)

    def recent_webhook(self, now: datetime) -> str | None:
        """Describe a webhook found within WEBHOOK_REPORTED_FOR."""
        if self._webhook is None or now - self._webhook[0] > WEBHOOK_REPORTED_FOR:
            return None
        return self._webhook[1]

    def note_error(self, error: TelegramError) -> None:
        self._last_sign_at = self._clock.now()
        if isinstance(error, RetryAfter):
            self._last_sign_at += wait_of(error)  # polling rests until then, on purpose
        state, reason = state_of(error)
        if state is ConnectionState.WEBHOOK and not (self._keep_webhook and self._webhook):
            self._webhook_found.set()
        self._set_state(state, reason)

    def _set_state(self, state: ConnectionState, reason: str | None) -> None:
        if state is not self.state:
            level = logging.INFO if state in (ConnectionState.UP, ConnectionState.CONNECTING) else logging.WARNING
            log.log(level, "telegram", extra={"action": "telegram_connection", "state": str(state), "reason": reason})
            notice = notice_of(state, reason or "", now=self._clock.now())
            if notice is not None:
                self._notify(state, notice)
        if state is ConnectionState.UP:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = self._clock.now()
        self.state, self.reason = state, reason

    def _notify(self, state: ConnectionState, notice: ConnectionNotice) -> None:
        now = self._clock.now()
        last = self._noticed_at.get(state)
        if last is None or now - last >= NOTICE_INTERVAL:
            self._noticed_at[state] = now
            self.notices.put_nowait(notice)


def _remember_identity(session: Session, identity: dict[str, Any], *, now: datetime) -> dict[str, Any] | None:
    """Store who the bot is; return the bot that it replaces, if any. Each bot numbers its updates by itself, so handled
    ones of the former bot must not hide the new one's."""
    former = posts_bot.remember_identity(session, identity, now=now)
    if former is not None:
        update_store.forget_handled(session)
    return former
