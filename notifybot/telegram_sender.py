"""Shows one post at Telegram and turns every answer into an outcome value."""

import contextlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import IO, Any

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from notifybot.logs import redact
from notifybot.outcomes import (
    BotRefused,
    ChatMoved,
    FileRefused,
    GiveUp,
    Gone,
    HoldOff,
    Outcome,
    Reformat,
    Shown,
    Target,
    TryAgain,
)
from notifybot.rendering import Delete, Edit, FileId, Media, Part, Send, Stored
from notifybot.splitting import utf16_prefix
from notifybot.telegram_calls import Open, request_of
from notifybot.telegram_http import NeverSent
from notifybot.uploads import Busy, Uploads, Waiting

MAX_REASON = 200  # characters; Telegram's own descriptions have up to about 150
WAIT_WITHOUT_A_NUMBER = timedelta(seconds=5)  # for a 429 that does not say how long
PROBE_TIMEOUT = timedelta(seconds=6)  # a slow way may need seconds for TLS; probes do not wait for each other

TOO_LARGE = "request entity too large"
ALBUM_ITEM = re.compile(r"message #(\d+)")
MAX_PRESS_ANSWER = 200  # UTF-16 units
UNREADABLE = TryAgain("an answer that cannot be read", uncertain=True)

logger = logging.getLogger(__name__)


def _gone(what: Target) -> Callable[[str], Outcome]:
    return lambda reason: Gone(what, reason)


def _unreachable(reason: str) -> Outcome:
    return GiveUp(reason, is_chat_unreachable=True)


def _refused_here(reason: str) -> Outcome:
    return GiveUp(reason, is_chat_unreachable=False)


# What the descriptions of 400 answers mean, in lower case; the first row that fits decides, and what fits none is
# given up without blaming the chat. Names with underscores (capitals at Telegram) come from behind the Bot API.
REFUSALS: tuple[tuple[re.Pattern[str], Callable[[str], Outcome]], ...] = tuple(
    (re.compile(pattern), decide)
    for pattern, decide in (
        (r"message to edit not found|message_id_invalid|message can't be edited", _gone(Target.MESSAGE)),
        (r"message_edit_time_expired|message_author_required", _gone(Target.MESSAGE)),
        (r"query is too old|query_id_invalid", _gone(Target.MESSAGE)),
        (r"message thread not found|topic_(closed|deleted|id_invalid)", _gone(Target.TOPIC)),
        (r"(wrong|invalid) (remote )?file|file_reference_|file_id_invalid|file must be non-empty", _gone(Target.FILE)),
        (r"failed to get http url|web page content|webpage_|image_process|photo_(?!\w*forbidden)", _gone(Target.FILE)),
        (r"can't use file of type|is too big for a|file http url|file_(parts?|content|emtpy|size)", _gone(Target.FILE)),
        (r"media_\w*(empty|invalid)|(document|external_url)_\w*invalid", _gone(Target.FILE)),
        (r"can't parse (message ?)?entit|entity_|entities_|entity (begin|url)", Reformat),
        (r"keyboard button|button_\w*(invalid|empty|url|text)", Reformat),
        (r"rights to send (?!text|a message)|chat_send_(?!plain)\w+_forbidden", _refused_here),
        (r"chat not found|user not found|(peer|chat|user|channel)_(id_)?(invalid|private|forbidden)", _unreachable),
        (r"(bot|user) (was|is) (blocked|kicked|deactivated)|user_(is_blocked|deactivated|banned)", _unreachable),
        (r"chat was (deactivated|deleted|upgraded)|not a member|can't initiate", _unreachable),
        (r"not enough rights|no rights to send|need administrator rights", _unreachable),
        (r"chat_(write_forbidden|send_plain_forbidden|restricted|admin_required)", _unreachable),
    )
)


class _ContentGone(Exception):
    """Somebody took a file out of our store."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.sha256)
        self.stored = stored


class TelegramSender:
    """Calls Telegram through one `telegram.Bot`; its methods return outcomes and raise nothing but CancelledError."""

    def __init__(self, bot: Bot, open_file: Open) -> None:
        self._bot = bot
        self._open_file = open_file
        self._uploads = Uploads()

    async def show(self, call: Send | Edit | Delete, waiting: Waiting = contextlib.nullcontext) -> Outcome:
        """Send, edit or delete. An edit that changes nothing is `Shown` too. Who waits for another's upload of the same
        file does so in a block of `waiting`."""
        if not isinstance(call, Send) or not call.part.media:
            return await self._show(call, ())
        try:
            async with self._uploads.turn(call.part, waiting) as part:
                return self._learned(call.part, await self._show(replace(call, part=part), part.media))
        except Busy:
            return TryAgain("another upload of the same file takes its time", uncertain=False)

    def _learned(self, part: Part, outcome: Outcome) -> Outcome:
        """Remember what it says of the files of a part."""
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
                # Below `do_api_request`, which warns of names as Telegram writes them and fills in defaults, of which
                # there are none. No objects are built of the answer: that would cost more than all the rest.
                given = {name: value for name, value in parameters.items() if value is not None}
                answer = await self._bot._do_post(method, given)
        except TelegramError as error:
            return _refused(call, outcome_of(error), media)
        except _ContentGone as gone:
            lost = tuple(file for file in media if file.source == gone.stored)
            return FileRefused(lost, "its content is gone from notifybot's store", is_final=True)
        except Exception:
            facts = {"action": "telegram.unforeseen", "chat_id": call.chat_id}
            logger.exception("an answer cannot be used", extra=facts)
            return UNREADABLE
        return _shown(call, answer)

    def _opened(self, stored: Stored) -> IO[bytes]:
        try:
            return self._open_file(stored)
        except FileNotFoundError:
            raise _ContentGone(stored) from None

    async def is_there(self) -> bool:
        """Whether Telegram answers, asked by a call that shows nothing and may be repeated; at most PROBE_TIMEOUT."""
        seconds = PROBE_TIMEOUT.total_seconds() / 2
        try:
            await self._bot.get_me(connect_timeout=seconds, write_timeout=0, read_timeout=seconds)
        except NetworkError:
            return False
        except TelegramError:
            return True  # whatever it says, it says something
        return True

    async def answer_press(self, query_id: str, text: str | None, *, show_alert: bool = False) -> Outcome | None:
        """Answer a button press; None once it is answered, `Gone(MESSAGE)` when it came too late for an answer.

        Of `text` at most 200 UTF-16 units are shown.
        """
        shown_text = None if text is None else utf16_prefix(text, MAX_PRESS_ANSWER)
        try:
            await self._bot.answer_callback_query(query_id, text=shown_text, show_alert=show_alert)
        except TelegramError as error:
            return outcome_of(error)
        except Exception:
            logger.exception("an answer cannot be used", extra={"action": "telegram.unforeseen"})
            return UNREADABLE
        return None


def _shown(call: Send | Edit | Delete, answer: object) -> Outcome:
    """What the answer to a call means that Telegram accepted: the messages as they stand now."""
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
    """Under which names Telegram keeps the files of these messages, in order, if it says so of all; a photo's largest
    size stands last."""
    found = [answer["photo"][-1] if answer.get("photo") else answer.get("document") for answer in answers]
    return tuple(file["file_id"] for file in found) if all(found) else ()


def _refused(call: Send | Edit | Delete, outcome: Outcome, media: Sequence[Media]) -> Outcome:
    """What a refusal means for this very call: some say that it needed not be made, some that a file is to blame."""
    match call, outcome:
        case Edit(), GiveUp(reason) if "message is not modified" in reason:
            return Shown(call.chat_id, (call.message_id,))
        case Delete(), GiveUp(is_chat_unreachable=False) | Gone(Target.MESSAGE):
            return Shown(call.chat_id, ())  # what cannot be deleted stays: it is too old, or gone already
        case Send(), Gone(Target.FILE, reason):
            return FileRefused(_to_blame(media, reason), reason)
        case Send(), GiveUp(reason, False) if media and TOO_LARGE in reason.lower():
            return FileRefused((max(media, key=lambda file: file.size),), reason, is_final=True)
        case Send(), GiveUp(reason, False) if media:
            # Chats can forbid files and still take texts, and so may it be with what nobody foresaw.
            return FileRefused(_named(media, reason), reason, is_final=True)
    return outcome


def _to_blame(media: Sequence[Media], reason: str) -> tuple[Media, ...]:
    """The file that Telegram names; all where it names none. A forgotten file_id comes before anything else."""
    if ALBUM_ITEM.search(reason):
        return _named(media, reason)
    return tuple(file for file in media if isinstance(file.source, FileId)) or tuple(media)


def _named(media: Sequence[Media], reason: str) -> tuple[Media, ...]:
    named = ALBUM_ITEM.search(reason)
    return tuple(media[int(named[1]) - 1 : int(named[1])] if named else media) or tuple(media)


def outcome_of(error: TelegramError) -> Outcome:
    """Say what an exception of python-telegram-bot means for the call that raised it.

    The order matters: `BadRequest` is a `NetworkError`. A 5xx answer counts as uncertain, because the gateway that
    gives it may have passed the call on.
    """
    reason = _reason(error)
    match error:
        case RetryAfter():
            return HoldOff(_wait(error.retry_after))
        case ChatMigrated():
            return ChatMoved(str(error.new_chat_id))
        case InvalidToken() | EndPointNotFound():
            return BotRefused("Telegram does not know this bot token")
        case Forbidden():
            return GiveUp(reason, is_chat_unreachable=True)
        case BadRequest():
            return _refusal(reason)
        case Conflict() | NeverSent():
            return TryAgain(reason, uncertain=False)
        case NetworkError():
            return _network_trouble(reason)
    return TryAgain(reason, uncertain=True)


def _refusal(reason: str) -> Outcome:
    for pattern, decide in REFUSALS:
        if pattern.search(reason.lower()):
            return decide(reason)
    return GiveUp(reason, is_chat_unreachable=False)


def _network_trouble(reason: str) -> Outcome:
    """Judge what python-telegram-bot raises as a plain NetworkError: every other status, and every lost connection."""
    if TOO_LARGE in reason.lower():
        return GiveUp(reason, is_chat_unreachable=False)
    if "too many requests" in reason.lower():
        return HoldOff(WAIT_WITHOUT_A_NUMBER)
    return TryAgain(reason, uncertain=True)


def _wait(retry_after: int | timedelta) -> timedelta:
    """Return a timedelta: python-telegram-bot gives seconds unless PTB_TIMEDELTA is set."""
    return retry_after if isinstance(retry_after, timedelta) else timedelta(seconds=retry_after)


def _reason(error: TelegramError) -> str:
    text = redact(error.message).removeprefix("Forbidden: ").removeprefix("Conflict: ")
    return (text[:1].lower() + text[1:])[:MAX_REASON]
