"""The bot: can start while Telegram is away, and reports each fetch of updates and each failure."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import telegram
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import ExtBot

from notifybot.config.proxies import Proxy
from notifybot.telegram_api.connection_state import ConnectionState, state_of
from notifybot.telegram_api.http import AiohttpRequest, Timeouts, Unreadable
from notifybot.telegram_api.refusals import wait_of
from notifybot.telegram_api.results import check_shape, first_update, updates_of
from notifybot.telegram_api.verdict import SECOND_CALL_S, BotRefusal, Judge, refusal_of_bot

FIRST_RETRY, MAX_RETRY = timedelta(milliseconds=200), timedelta(milliseconds=800)
REFUSED_RETRY = timedelta(seconds=2)
"""Retry interval while Telegram refuses the bot, or gives its updates to someone else."""
POLLING = Timeouts(write=2.0, read=5.0)
"""On top of the long poll. Waiting updates come at once, so after this much silence the connection is dead."""
NO_WAIT = timedelta()
MAX_UPDATES = 100
"""In one response, as the Bot API allows."""
MAX_UPDATES_BYTES = 8 * 1024 * 1024
"""Of one response. Telegram sends at most 4 MiB at once, a self-hosted server what it likes."""


class PollingBot(ExtBot[None]):
    """A bot that starts without Telegram if its identity is `known`, and reports when updates were fetched, or why
    they could not be.

    A refusal of the bot by Telegram counts only if a second call confirms it: see `verdict`.
    """

    __slots__ = (
        *("_attempt", "_fetching", "_hurry", "_is_failing", "_judge", "_known", "_limit"),
        *("_on_error", "_on_fetch", "_pause"),
    )

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        connections: int,
        known: dict[str, Any] | None,
        on_fetch: Callable[[], None],
        on_error: Callable[[TelegramError], None],
        on_date: Callable[[datetime], None] | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        super().__init__(
            token,
            base_url=f"{base_url}/bot",
            base_file_url=f"{base_url}/file/bot",
            request=AiohttpRequest(max_connections=connections, proxy=proxy),
            get_updates_request=AiohttpRequest(
                max_connections=2, timeouts=POLLING, on_date=on_date, max_bytes=MAX_UPDATES_BYTES, proxy=proxy
            ),
        )
        is_same_bot = known is not None and str(known["id"]) == token.partition(":")[0]
        self._known = known if is_same_bot else None
        self._on_fetch = on_fetch
        self._on_error = on_error
        self._pause = FIRST_RETRY
        self._limit = MAX_UPDATES
        self._is_failing = False
        self._judge = Judge(self._ask_who_i_am, self._note_refusal)
        self._fetching: asyncio.Timeout | None = None
        """Ends the current fetch."""
        self._attempt: asyncio.Future[bool] | None = None
        """Set while somebody waits for the outcome of the next fetch."""
        self._hurry = asyncio.Event()

    async def initialize(self) -> None:
        try:
            await super().initialize()
        except InvalidToken as error:
            raise error.__cause__ or error from None  # the library's own text says less, and quotes the token

    async def get_me(self, **options: Any) -> telegram.User:
        known, self._known = self._known, None
        if known is None:
            return await super().get_me(**options)
        self._bot_user = telegram.User.de_json(known, self)
        return self._bot_user

    async def get_updates(  # type: ignore[override] # of the parameters, these are the ones that the library sets
        self,
        offset: int | None = None,
        *,
        timeout: timedelta = NO_WAIT,
        allowed_updates: Sequence[str] | None = None,
        **_: Any,
    ) -> tuple[telegram.Update, ...]:
        """Fetch updates; return none, after a short pause, while Telegram does not hand them out.

        The library's own pauses would grow to 30 s, presses would wait that long once Telegram is back, and a refused
        token would end its polling. The first fetch after a failure does not wait for updates, so that Telegram's
        return is noticed at once. A caller that does not wait for updates does not wait after a failure either.
        """
        attempt = self._attempt
        is_short = self._is_failing or attempt is not None
        try:
            updates = await self._fetch(offset, NO_WAIT if is_short else timeout, allowed_updates)
        except TimeoutError:  # renew_polling
            self._is_failing = True
            return ()
        except TelegramError as error:
            # A short fetch would succeed next to another program's long one, and say nothing.
            self._is_failing = state_of(error)[0] is not ConnectionState.CONFLICT
            self._on_error(error)
            self._settle(attempt, has_caught_up=False)
            await self._rest(self._pause_after(error) if timeout else NO_WAIT, error)
            return ()
        self._pause, self._is_failing = FIRST_RETRY, False
        self._on_fetch()
        if not updates:  # so all earlier ones are in the queue
            self._settle(attempt, has_caught_up=True)
        return updates

    async def catch_up(self) -> bool:
        """Fetch at once what waits at Telegram. Return True once nothing more does, False if a fetch failed."""
        if self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
        self._hurry.set()
        if self._fetching is not None:
            self._fetching.reschedule(0)
        return await asyncio.shield(self._attempt)

    def _settle(self, attempt: "asyncio.Future[bool] | None", *, has_caught_up: bool) -> None:
        if attempt is not None and attempt is self._attempt:
            self._attempt = None
            attempt.set_result(has_caught_up)

    async def _rest(self, pause: timedelta, error: TelegramError) -> None:
        """Pause after a failure; a network failure only until somebody is in a hurry."""
        self._hurry.clear()
        if not isinstance(error, NetworkError):
            await asyncio.sleep(pause.total_seconds())
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await self._hurry.wait()

    def _pause_after(self, error: TelegramError) -> timedelta:
        match error:
            case RetryAfter():
                return wait_of(error)
            case Conflict() | InvalidToken():
                return REFUSED_RETRY
        self._pause, pause = min(self._pause * 2, MAX_RETRY), self._pause
        return pause

    async def _fetch(
        self, offset: int | None, timeout: timedelta, allowed: Sequence[str] | None
    ) -> tuple[telegram.Update, ...]:
        try:
            async with asyncio.timeout(None) as self._fetching:
                return await self._fetch_readable(offset, timeout, allowed)
        finally:
            self._fetching = None

    async def _fetch_readable(
        self, offset: int | None, timeout: timedelta, allowed: Sequence[str] | None
    ) -> tuple[telegram.Update, ...]:
        """Fetch updates; one alone after a response that cannot be read. Then, if need be, return its id alone."""
        wanted = {"offset": offset or 0, "timeout": timeout, "allowed_updates": allowed or []}
        read_timeout = POLLING.read + timeout.total_seconds()
        while True:
            try:
                result = await self._do_post("getUpdates", wanted | {"limit": self._limit}, read_timeout=read_timeout)
            except Unreadable as error:
                if self._limit == 1:
                    return (first_update(error),)
                self._limit = 1
            else:
                self._limit = min(self._limit * 10, MAX_UPDATES)
                return updates_of(result, self)

    async def delete_webhook(self, *_: Any, **__: Any) -> bool:
        """Do nothing. The library calls this whenever polling starts; `remove_webhook` removes one knowingly."""
        return True

    async def remove_webhook(self) -> bool:
        """Remove the webhook that someone has set. Telegram keeps the updates that it could not deliver."""
        return await super().delete_webhook()

    async def _do_post(self, endpoint: str, data: Any, **options: Any) -> Any:
        """Call Telegram. Raises BotRefusal once two calls agree that it refuses the bot; see `verdict`."""
        self._judge.check()
        try:
            result = await super()._do_post(endpoint, data, **options)
        except TelegramError as error:
            if refusal_of_bot(error) is None:
                raise
            verdict = await self._judge.judge(error)
        else:
            check_shape(endpoint, result)
            return result
        raise verdict

    async def _ask_who_i_am(self) -> None:
        seconds = SECOND_CALL_S
        await super()._do_post("getMe", {}, connect_timeout=seconds, write_timeout=0, read_timeout=seconds)

    def _note_refusal(self, refusal: BotRefusal) -> None:
        self._on_error(refusal)
        self._end_fetch()  # a long poll that is still open would hide for 10 s that the token works again

    def _end_fetch(self) -> None:
        if self._fetching is not None:
            self._fetching.reschedule(0)

    async def renew_polling(self) -> None:
        """Fetch updates over a new connection at once. The old ones are closed: one that stalls below TLS would stay in
        the pool forever."""
        self._end_fetch()
        request = self._request[0]
        with contextlib.suppress(TelegramError):
            await request.shutdown()
        await request.initialize()
