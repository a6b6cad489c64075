"""Shows one post at Telegram and turns every answer into an outcome value."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import assert_never
from urllib.parse import parse_qsl, urlsplit

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
    GiveUp,
    Gone,
    HoldOff,
    Outcome,
    Reformat,
    Shown,
    Target,
    TryAgain,
)
from notifybot.rendering import Button, Buttons, EditText, Entity, Part, SendText
from notifybot.splitting import utf16_prefix
from notifybot.telegram_http import NeverSent

MAX_REASON = 200  # characters; Telegram's own descriptions have up to about 150
WAIT_WITHOUT_A_NUMBER = timedelta(seconds=5)  # for a 429 that does not say how long
PROBE_TIMEOUT = timedelta(seconds=6)  # a slow way may need seconds for TLS; probes do not wait for each other

# Telegram takes a method's name in any case. In this one python-telegram-bot does not know it as a method of its own,
# and so does not warn that it has one, which would build an object of each answer.
SEND_MESSAGE, EDIT_MESSAGE_TEXT = "SendMessage", "EditMessageText"

MAX_PRESS_ANSWER = 200  # UTF-16 units
UNREADABLE = TryAgain("an answer that cannot be read", uncertain=True)
NO_PREVIEW: "JsonObject" = {"is_disabled": True}

Json = str | int | bool | None | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]

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
        (r"(wrong|invalid) (remote )?file|file_reference_|file_id_invalid", _gone(Target.FILE)),
        (r"can't parse (message ?)?entit|entity_|entities_|entity (begin|url)", Reformat),
        (r"rights to send (?!text|a message)|chat_send_(?!plain)\w+_forbidden", _refused_here),
        (r"chat not found|user not found|(peer|chat|user|channel)_(id_)?(invalid|private|forbidden)", _unreachable),
        (r"(bot|user) (was|is) (blocked|kicked|deactivated)|user_(is_blocked|deactivated|banned)", _unreachable),
        (r"chat was (deactivated|deleted|upgraded)|not a member|can't initiate", _unreachable),
        (r"not enough rights|no rights to send|need administrator rights", _unreachable),
        (r"chat_(write_forbidden|send_plain_forbidden|restricted|admin_required)", _unreachable),
    )
)


class TelegramSender:
    """Calls Telegram through one `telegram.Bot`; its methods return outcomes and raise nothing but CancelledError."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def show(self, call: SendText | EditText) -> Outcome:
        """Send or edit one message. An edit that changes nothing is `Shown` too."""
        try:
            answer = await self._make(call)
        except TelegramError as error:
            if isinstance(call, EditText) and "message is not modified" in error.message.lower():
                return Shown(call.chat_id, call.message_id)
            return outcome_of(error)
        except Exception:
            logger.exception(
                "an answer cannot be used", extra={"action": "telegram.unforeseen", "chat_id": call.chat_id}
            )
            return UNREADABLE
        return _shown(answer)

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

    async def _make(self, call: SendText | EditText) -> object:
        """Telegram's answer as JSON. The library builds no objects of it: that would cost more than all the rest."""
        match call:
            case SendText():
                return await self._bot.do_api_request(SEND_MESSAGE, _sending(call))
            case EditText():
                return await self._bot.do_api_request(EDIT_MESSAGE_TEXT, _editing(call))
            case _:
                assert_never(call)


def _shown(answer: object) -> Outcome:
    """What the answer to a call means that Telegram accepted: the message as it stands now."""
    match answer:
        case {"message_id": int(message_id), "chat": {"id": int(chat_id), "type": str(kind)}}:
            return Shown(str(chat_id), message_id, kind)
    return UNREADABLE


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
    if "request entity too large" in reason.lower():
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


def _sending(call: SendText) -> dict[str, Json]:
    return {
        "chat_id": call.chat_id,
        **_content(call.part),
        "disable_notification": call.silent,
        "message_thread_id": call.thread_id,
    }


def _editing(call: EditText) -> dict[str, Json]:
    return {"chat_id": call.chat_id, "message_id": call.message_id, **_content(call.part)}


def _content(part: Part) -> dict[str, Json]:
    """What is left out, or None, is not sent: then the message has none of it."""
    return {
        "text": part.text,
        "entities": [_entity(entity) for entity in part.entities] or None,
        "reply_markup": {"inline_keyboard": _keyboard(part.buttons)} if part.buttons else None,
        "link_preview_options": NO_PREVIEW,
    }


def _entity(entity: Entity) -> JsonObject:
    needed: JsonObject = {"type": entity.type, "offset": entity.offset, "length": entity.length}
    return {**needed, **_entity_fields(entity)}


def _entity_fields(entity: Entity) -> JsonObject:
    """Return what is more than place and type; emoji and moments are named by tg:// addresses, but wanted as fields."""
    named = dict(parse_qsl(urlsplit(entity.url or "").query))
    match entity.type:
        case "custom_emoji":
            return {"custom_emoji_id": named["id"]}
        case "date_time":
            return {"unix_time": int(named["unix"]), **_given(date_time_format=named.get("format"))}
    return _given(url=entity.url, language=entity.language)


def _keyboard(buttons: Buttons) -> Json:
    return [[_button(button) for button in row] for row in buttons]


def _button(button: Button) -> JsonObject:
    copied: Json = None if button.copy is None else {"text": button.copy}
    given = _given(callback_data=button.callback_data, url=button.url, copy_text=copied, style=button.style)
    return {"text": button.text, **given}


def _given(**values: Json) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}
