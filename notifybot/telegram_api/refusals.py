"""The table of Telegram's refusals, and the outcome of a call that each means."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from notifybot.posts.outcomes import (
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
from notifybot.rendering.parts import Delete, Edit, FileId, Media, Send
from notifybot.system.logs import redact
from notifybot.telegram_api.http import MaybeSent, NeverSent
from notifybot.telegram_api.verdict import refusal_of_bot

MAX_REASON = 200  # characters; Telegram's own descriptions have up to about 150
DEFAULT_RETRY_AFTER = timedelta(seconds=5)  # for a 429 that does not say how long

TOO_LARGE = "request entity too large"
NOT_MODIFIED = re.compile("message is not modified|message_not_modified")
ALBUM_ITEM = re.compile(r"message #(\d+)")


def _gone(what: Target) -> Callable[[str], Outcome]:
    return lambda reason: Gone(what, reason)


def _refused_buttons(reason: str) -> Outcome:
    return Reformat(reason, of_buttons=True)


def _unreachable(reason: str) -> Outcome:
    return GiveUp(reason, is_chat_unreachable=True)


def _refused_here(reason: str) -> Outcome:
    return GiveUp(reason, is_chat_unreachable=False)


# Descriptions of 400 responses, in lower case. The first matching row decides; without one the post is given up and the
# chat is not blamed. Names with underscores (capitals at Telegram) come from behind the Bot API.
REFUSALS: tuple[tuple[re.Pattern[str], Callable[[str], Outcome]], ...] = tuple(
    (re.compile(pattern), decide)
    for pattern, decide in (
        (NOT_MODIFIED.pattern, _refused_here),  # names the markup too; see outcome_for_call
        (r"message to edit not found|(message|msg)_id_invalid|message can't be edited", _gone(Target.MESSAGE)),
        (r"message_edit_time_expired|message_author_required|in the message to edit", _gone(Target.MESSAGE)),
        (r"query is too old|query_id_invalid", _gone(Target.MESSAGE)),
        (r"message thread not found|topic[_ ](was )?(closed|deleted|id_invalid|not found)", _gone(Target.TOPIC)),
        (r"(wrong|invalid) (remote )?file|file_reference_|file_id_invalid|file must be non-empty", _gone(Target.FILE)),
        (r"failed to get http url|web page content|webpage_|image_process|photo_(?!\w*forbidden)", _gone(Target.FILE)),
        (r"can't use file of type|is too big for a|file http url|file_(parts?|content|emtpy|size)", _gone(Target.FILE)),
        (r"media_\w*(empty|invalid)|(document|external_url)_\w*invalid", _gone(Target.FILE)),
        (r"can't parse (message ?)?entit|entity_|entities_|entity (begin|url)", Reformat),
        (r"keyboard|button_|reply.?markup", _refused_buttons),
        (r"rights to send (?!text|a message)|chat_send_(?!plain)\w+_forbidden", _refused_here),
        (r"chat not found|user not found|(peer|chat|user|channel)_(id_)?(invalid|private|forbidden)", _unreachable),
        (r"(bot|user) (was|is) (blocked|kicked|deactivated)|user_(is_blocked|deactivated|banned)", _unreachable),
        (r"chat was (deactivated|deleted|upgraded)|not a member|can't initiate", _unreachable),
        (r"not enough rights|no rights to send|need administrator rights", _unreachable),
        (r"chat_(write_forbidden|send_plain_forbidden|restricted|admin_required)", _unreachable),
    )
)


def outcome_for_call(call: Send | Edit | Delete, outcome: Outcome, media: Sequence[Media]) -> Outcome:
    """Adjust a refusal to its call: it may have been unnecessary, or a file may be to blame."""
    match call, outcome:
        case Edit(), GiveUp(reason) if NOT_MODIFIED.search(reason.lower()):
            return Shown(call.chat_id, (call.message_id,))
        case Delete(), GiveUp(is_chat_unreachable=False) | Gone(Target.MESSAGE):
            return Shown(call.chat_id, ())  # too old to delete, or already gone
        case Send(), Gone(Target.FILE, reason):
            return FileRefused(_blamed_files(media, reason), reason)
        case Send(), GiveUp(reason, False) if media:
            # Chats can forbid photos and still accept documents, or text; unknown refusals get the same chance.
            return FileRefused(_named_files(media, reason), reason)
    return outcome


def _blamed_files(media: Sequence[Media], reason: str) -> tuple[Media, ...]:
    """Return the file that Telegram names, else those sent by file_id, which Telegram may have forgotten, else all."""
    if ALBUM_ITEM.search(reason):
        return _named_files(media, reason)
    return tuple(file for file in media if isinstance(file.source, FileId)) or tuple(media)


def _named_files(media: Sequence[Media], reason: str) -> tuple[Media, ...]:
    named = ALBUM_ITEM.search(reason)
    return tuple(media[int(named[1]) - 1 : int(named[1])] if named else media) or tuple(media)


def outcome_of(error: TelegramError) -> Outcome:
    """Return what an exception of python-telegram-bot means for the call that raised it.

    The order matters: `BadRequest` is a `NetworkError`. A 5xx response is uncertain: the gateway may have passed on
    the call.
    """
    if (refusal := refusal_of_bot(error)) is not None:
        return BotRefused(refusal)
    reason = _reason(error)
    match error:
        case RetryAfter():
            return HoldOff(wait_of(error))
        case ChatMigrated():
            return ChatMoved(str(error.new_chat_id))
        case Forbidden():
            return GiveUp(reason, is_chat_unreachable=True)
        case BadRequest():
            return _refusal(reason)
        case NeverSent() | MaybeSent():
            return TryAgain(reason, uncertain=isinstance(error, MaybeSent), was_slow=error.was_slow)
        case Conflict():
            return TryAgain(reason, uncertain=False)
        case NetworkError():
            return _network_error(reason)
    return TryAgain(reason, uncertain=True)


def _refusal(reason: str) -> Outcome:
    for pattern, decide in REFUSALS:
        if pattern.search(reason.lower()):
            return decide(reason)
    return GiveUp(reason, is_chat_unreachable=False)


def _network_error(reason: str) -> Outcome:
    """Handle a plain NetworkError, which covers all other statuses and lost connections."""
    if TOO_LARGE in reason.lower():
        return GiveUp(reason, is_chat_unreachable=False)
    if "too many requests" in reason.lower():
        return HoldOff(DEFAULT_RETRY_AFTER)
    return TryAgain(reason, uncertain=True)


def wait_of(error: RetryAfter) -> timedelta:
    """Return how long a 429 asks to wait: python-telegram-bot gives seconds unless PTB_TIMEDELTA is set."""
    wait = error.retry_after
    return wait if isinstance(wait, timedelta) else timedelta(seconds=wait)


def _reason(error: TelegramError) -> str:
    """Return Telegram's own words in their case: `HTTP 413` and `FLOOD_WAIT_3` are names."""
    return redact(error.message).removeprefix("Forbidden: ").removeprefix("Conflict: ")[:MAX_REASON]
