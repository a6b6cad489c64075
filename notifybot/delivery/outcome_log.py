"""Log the outcome of each call, one line each."""

import logging

from notifybot.delivery.claims import Claim
from notifybot.posts.outcomes import (
    BotRefused,
    ChatMoved,
    Fetched,
    FileRefused,
    GiveUp,
    Gone,
    HoldOff,
    NotFetched,
    Outcome,
    Reformat,
    Shown,
    TryAgain,
)

log = logging.getLogger(__name__)


def log_outcome(claim: Claim, outcome: Outcome) -> None:
    outcome_name = type(outcome).__name__
    facts = {"action": "telegram_call", "post": claim.post.id, "chat": claim.post.chat_id, "outcome": outcome_name}
    match outcome:
        case Shown(message_ids=message_ids):
            log.info("called Telegram", extra={**facts, "telegram_message_ids": message_ids})
        case Fetched(file):
            log.info("fetched a file", extra={**facts, "file": file.name, "bytes": file.size})
        case HoldOff(wait):
            log.warning("Telegram rate-limits a chat", extra={**facts, "wait_s": wait.total_seconds()})
        case ChatMoved(to):
            log.info("a chat moved", extra={**facts, "to": to})
        case TryAgain(reason) | Reformat(reason) | GiveUp(reason) | BotRefused(reason) | NotFetched(reason):
            log.warning("a call to Telegram failed", extra={**facts, "reason": reason})
        case Gone(_, reason) | FileRefused(_, reason):
            log.warning("a call to Telegram failed", extra={**facts, "reason": reason})
