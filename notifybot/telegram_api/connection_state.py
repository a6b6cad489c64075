"""States of the connection to Telegram: which error means which, in words for /health and for the admins."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telegram.error import Conflict, RetryAfter, TelegramError

from notifybot.system.logs import redact
from notifybot.telegram_api.refusals import wait_of
from notifybot.telegram_api.verdict import refusal_of_bot


class ConnectionState(StrEnum):
    """State of the connection to Telegram."""

    OFF = "off"
    """No token is configured."""
    CONNECTING = "connecting"
    UP = "ok"
    AWAY = "away"
    REFUSED = "refused"
    """Telegram refuses the bot: its token was revoked or is wrong, or it is logged out."""
    CONFLICT = "conflict"
    """Another program fetches this bot's updates."""
    WEBHOOK = "webhook"
    """A webhook is set for this bot, so its updates go there."""


@dataclass(frozen=True)
class ConnectionNotice:
    """A notice to the admins about the connection."""

    title: str
    content: str


def state_of(error: TelegramError) -> tuple[ConnectionState, str]:
    """Return the state that a failed getUpdates or getMe means, and the reason in words."""
    match error:
        case RetryAfter():
            wait = wait_of(error).total_seconds()
            return ConnectionState.AWAY, f"Telegram makes the bot wait {wait:.0f} s before it may fetch updates"
        case Conflict() if "webhook" in error.message.lower():
            return ConnectionState.WEBHOOK, "a webhook is set for this bot, so presses do not reach notifybot"
        case Conflict():
            return ConnectionState.CONFLICT, "another program fetches the updates of this bot"
    if (refusal := refusal_of_bot(error)) is not None:
        return ConnectionState.REFUSED, refusal
    return ConnectionState.AWAY, f"Telegram cannot be reached: {redact(str(error))}"


def notice_of(state: ConnectionState, reason: str, *, now: datetime) -> ConnectionNotice | None:
    """Return the notice about a new state. It may arrive late: while a bot is refused, nothing can be sent."""
    at = f"{now:%Y-%m-%d %H:%M} UTC"
    match state:
        case ConnectionState.REFUSED:
            return ConnectionNotice(
                "Telegram refused the bot",
                f"From {at} until shortly before this message, Telegram refused this bot: nothing was sent, and no"
                f" press was received.\n{reason}",
            )
        case ConnectionState.CONFLICT:
            return ConnectionNotice(
                "Another program fetches the bot's updates",
                f"Seen at {at}. Presses may not reach notifybot. Stop the other program, or give it a bot of its own.",
            )
    return None


def webhook_notice(host: str, *, is_kept: bool, now: datetime) -> ConnectionNotice:
    at = f"{now:%Y-%m-%d %H:%M} UTC"
    if is_kept:
        return ConnectionNotice(
            "A webhook takes the bot's updates",
            f"Seen at {at}: a webhook to {host} is set for this bot, so presses do not reach notifybot. It stays,"
            " because telegram.keep_webhook is true.",
        )
    return ConnectionNotice(
        "notifybot removed a webhook",
        f"At {at} a webhook to {host} was set for this bot, so presses did not reach notifybot. notifybot removed it."
        " If another program needs it, give that program a bot of its own, or set telegram.keep_webhook.",
    )


def other_bot_notice(former: str, current: str) -> ConnectionNotice:
    return ConnectionNotice("notifybot runs as another bot", other_bot_words(former, current))


def other_bot_words(former: str, current: str) -> str:
    return (
        f"This database was used by {former}; the token is of {current}. People have to press /start in {current}, and"
        " groups and channels have to add it; posts of the former bot can no longer be edited."
    )
