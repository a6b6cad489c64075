"""Call Telegram to show a post; every response becomes an outcome value."""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import IO, Any

from telegram import Bot
from telegram.error import (
    NetworkError,
    TelegramError,
)

from notifybot.posts.outcomes import (
    FileRefused,
    Outcome,
    Shown,
    TryAgain,
)
from notifybot.rendering.parts import Delete, Edit, Media, Part, Send, Stored
from notifybot.rendering.split import utf16_prefix
from notifybot.telegram_api.http import NeverSent
from notifybot.telegram_api.refusals import outcome_for_call, outcome_of
from notifybot.telegram_api.requests import Open, request_of
from notifybot.telegram_api.upload_cache import UploadBusy, UploadCache, Waiting
from notifybot.telegram_api.verdict import refusal_of_bot

PROBE_TIMEOUT = timedelta(seconds=6)  # TLS may take seconds on a slow network; probes overlap
MAX_PRESS_ANSWER = 200  # UTF-16 units
UNREADABLE = TryAgain("an unreadable response", uncertain=True)

log = logging.getLogger(__name__)


class _FileMissing(Exception):
    """A file is gone from our store."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.sha256)
        self.stored = stored


class TelegramSender:
    """Calls Telegram through one `telegram.Bot`. Methods return outcomes and raise nothing but CancelledError."""

    def __init__(self, bot: Bot, open_file: Open) -> None:
        self._bot = bot
        self._open_file = open_file
        self._uploads = UploadCache()

    async def show(self, call: Send | Edit | Delete, waiting: Waiting = contextlib.nullcontext) -> Outcome:
        """Send, edit or delete. An edit that changes nothing is `Shown` too. A wait for another upload of the same file
        happens inside `waiting`."""
        if not isinstance(call, Send) or not call.part.media:
            return await self._show(call, ())
        try:
            async with self._uploads.upload_slot(call.part, waiting) as part:
                return self._remembered(call.part, await self._show(replace(call, part=part), part.media))
        except UploadBusy:
            return TryAgain("another upload of the same file is taking too long", uncertain=False)

    def _remembered(self, part: Part, outcome: Outcome) -> Outcome:
        """Remember the file ids in the outcome; forget refused ones."""
        match outcome:
            case Shown(file_ids=file_ids):
                self._uploads.remember(part.media, file_ids)
            case FileRefused(media):
                self._uploads.forget(media)
        return outcome

    async def _show(self, call: Send | Edit | Delete, media: Sequence[Media]) -> Outcome:
        try:
            with contextlib.ExitStack() as files:
                method, parameters = request_of(call, lambda stored: files.enter_context(self._opened(stored)))
                # Not `do_api_request`, which warns about Telegram's own spelling of names. No objects are built from
                # the response: that would cost more than all the rest.
                given = {name: value for name, value in parameters.items() if value is not None}
                answer = await self._bot._do_post(method, given)
        except TelegramError as error:
            return outcome_for_call(call, outcome_of(error), media)
        except _FileMissing as gone:
            lost = tuple(file for file in media if file.source == gone.stored)
            return FileRefused(lost, "its content is gone from notifybot's store", is_final=True)
        except Exception:
            facts = {"action": "telegram_unexpected", "chat_id": call.chat_id}
            log.exception("unexpected response from Telegram", extra=facts)
            return UNREADABLE
        return _shown(call, answer)

    def _opened(self, stored: Stored) -> IO[bytes]:
        try:
            return self._open_file(stored)
        except FileNotFoundError:
            raise _FileMissing(stored) from None

    async def is_there(self) -> bool:
        """Probe whether Telegram responds and accepts the bot, with a harmless call; takes at most PROBE_TIMEOUT."""
        seconds = PROBE_TIMEOUT.total_seconds() / 2
        try:
            await self._bot.get_me(connect_timeout=seconds, write_timeout=0, read_timeout=seconds)
        except TelegramError as error:
            # Any other error is a response too.
            return not isinstance(error, NetworkError) and refusal_of_bot(error) is None
        return True

    async def answer_press(self, query_id: str, text: str | None, *, show_alert: bool = False) -> Outcome | None:
        """Answer a button press. Return None on success, `Gone(MESSAGE)` if it is too late for an answer.

        At most 200 UTF-16 units of `text` are shown.
        """
        shown_text = None if text is None else utf16_prefix(text, MAX_PRESS_ANSWER)
        answer = partial(self._bot.answer_callback_query, query_id, text=shown_text, show_alert=show_alert)
        try:
            try:
                await answer()
            except NeverSent:  # nobody else retries it, and a reader waits for it
                await answer()
        except TelegramError as error:
            return outcome_of(error)
        except Exception:
            log.exception("unexpected response from Telegram", extra={"action": "telegram_unexpected"})
            return UNREADABLE
        return None


def _shown(call: Send | Edit | Delete, answer: object) -> Outcome:
    """Read Telegram's response to an accepted call: the messages as the chat shows them now."""
    answered: Any = answer
    match answered:
        case {"message_id": int(message_id), "chat": {"id": int(chat_id), "type": str(kind)}}:
            return Shown(str(chat_id), (message_id,), kind, _file_ids([answer]))
        case [{"chat": {"id": int(chat_id), "type": str(kind)}}, *_] as sent:
            return Shown(str(chat_id), tuple(each["message_id"] for each in sent), kind, _file_ids(sent))
        case True if isinstance(call, Delete):
            return Shown(call.chat_id, ())
    return UNREADABLE


def _file_ids(answers: Sequence[Any]) -> tuple[str, ...]:
    """Return the file ids of these messages in order, or nothing if one is missing. A photo's largest size is last."""
    found = [answer["photo"][-1] if answer.get("photo") else answer.get("document") for answer in answers]
    return tuple(file["file_id"] for file in found) if all(found) else ()
