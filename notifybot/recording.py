"""What an outcome changes: one call came back from Telegram, and the rows say what follows from it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import text, update
from sqlmodel import Session, col, select

from notifybot import chats, messages, outbox, timeline
from notifybot.database import affected, changes
from notifybot.models import (
    IS_IN_TROUBLE,
    Bot,
    Delivery,
    DeliveryStatus,
    EventKind,
    Post,
    Urgency,
)
from notifybot.outbox import AWAY_AFTER, Claim
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
from notifybot.pacing import backoff

WHOLE_BOT_AFTER = 3
"""So many 429s in a row, with no call accepted in between, slow the whole bot down."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
REFUSED_BOT_WAITS = timedelta(minutes=1)
FIRST_PROBE = timedelta(milliseconds=100)
LONGEST_PROBE = timedelta(milliseconds=800)
"""While Telegram is away one call this often finds out that it is back, and so delivers within a second."""


@dataclass(frozen=True)
class Attempt:
    """One call that was made for a claim. `is_last`: with it the post stands as the claimed version says."""

    claim: Claim
    is_edit: bool
    is_last: bool


@dataclass(frozen=True)
class Patience:
    """How long failures are retried; `jitter` is uniform in [0, 1)."""

    give_up_after: timedelta
    jitter: float


def record(session: Session, attempt: Attempt, outcome: Outcome, *, now: datetime, patience: Patience) -> None:
    """Write down what came back for one claimed call, end the claim, and say what is due next."""
    post = session.get_one(Post, attempt.claim.post.id)
    _note_network(session, outcome, now=now)
    match outcome:
        case Shown():
            _shown(session, post, attempt, outcome, now=now)
        case HoldOff(wait):
            _hold(session, post, wait, now=now)
        case TryAgain():
            _try_again(session, post, attempt, outcome, now=now, patience=patience)
        case Reformat(reason):
            # Plain text carries no markup: this can only be our own mistake, and repeating it would not mend it.
            _give_up(session, post, attempt, f"Telegram could not parse it: {reason}", now=now)
        case Gone(what, reason):
            _gone(session, post, attempt, what, reason, now=now)
        case GiveUp(reason, is_chat_unreachable):
            if is_chat_unreachable:
                chats.mark_unreachable(session, post.chat_id, reason)
            _give_up(session, post, attempt, reason, now=now)
        case ChatMoved(to):
            chats.move(session, post.chat_id, to, now=now)
        case BotRefused():
            _hold_bot(session, REFUSED_BOT_WAITS, now=now)
        case _:
            assert_never(outcome)
    session.flush()
    chats.release(session, attempt.claim.post.chat_id, now=now)


def _shown(session: Session, post: Post, attempt: Attempt, outcome: Shown, *, now: datetime) -> None:
    was_shown = post.shown_version > 0
    post.errors, post.tried_for_s, post.withdrawn_at = 0, 0.0, None
    if outcome.message_id not in post.telegram_message_ids:
        post.telegram_message_ids = [*post.telegram_message_ids, outcome.message_id]
        post.parts_shown += 1
    if attempt.is_last:
        post.shown_version = attempt.claim.post.version
        post.urgency = int(Urgency.EDIT)
    session.add(post)
    session.flush()
    chats.note_answer(session, post.chat_id, outcome.chat_kind)
    if not attempt.is_edit:
        _count_attempt(session, post.id)
    if attempt.is_last:
        _stands(session, post, was_shown=was_shown, now=now)
    if outcome.chat_id != post.chat_id and post.chat_id.startswith("@"):
        chats.rename(session, post.chat_id, outcome.chat_id, now=now)


def _stands(session: Session, post: Post, *, was_shown: bool, now: datetime) -> None:
    """The whole post stands in its chat: for the first time, or in a newer version."""
    message_ids = outbox.messages_of(session, [post.id])
    if was_shown:
        timeline.add(session, message_ids, EventKind.EDITED, now=now, detail=f"In {post.chat_id}.")
        return
    were_not = (DeliveryStatus.WAITING, DeliveryStatus.WITHDRAWN)
    _move_deliveries(session, post.id, were_not, status=DeliveryStatus.SHOWN, shown_at=now)
    timeline.add(session, message_ids, EventKind.SENT, now=now, detail=f"To {post.chat_id}.")
    messages.settle(session, message_ids, now=now)


def _move_deliveries(session: Session, post_id: str, statuses: Collection[DeliveryStatus], **values: Any) -> None:
    of_these = (col(Delivery.post_id) == post_id, col(Delivery.status).in_(statuses))
    affected(session, update(Delivery).where(*of_these).values(**values))


def _count_attempt(session: Session, post_id: str, error: str | None = None) -> None:
    counted = update(Delivery).where(col(Delivery.post_id) == post_id)
    affected(session, counted.values(attempts=Delivery.attempts + 1, last_error=error))
    changes(session).messages.update(outbox.messages_of(session, [post_id]))


def _hold(session: Session, post: Post, wait: timedelta, *, now: datetime) -> None:
    """429: this chat waits as long as Telegram says. Several in a row pause the whole bot, longer each time, but never
    longer than Telegram said: single banned chats must not hold up the others."""
    until = now + wait
    chats.hold(session, post.chat_id, until)
    bot = session.get_one(Bot, 1)
    bot.floods += 1
    if bot.floods >= WHOLE_BOT_AFTER:
        pause = min(FIRST_PAUSE * (1 << min(bot.floods - WHOLE_BOT_AFTER, 10)), LONGEST_PAUSE)
        _hold_bot(session, min(pause, wait), now=now)
    messages.escalate_what_is_held(session, post.chat_id, until, now=now)


def _hold_bot(session: Session, wait: timedelta, *, now: datetime) -> None:
    bot = session.get_one(Bot, 1)
    bot.held_until = max(bot.held_until or now, now + wait)


def _try_again(
    session: Session, post: Post, attempt: Attempt, outcome: TryAgain, *, now: datetime, patience: Patience
) -> None:
    if outcome.uncertain and not attempt.is_edit:
        outbox.note_uncertain(session, post.id, now=now, detail=outcome.reason)
    wait = backoff(post.errors + 1, jitter=patience.jitter)
    if post.tried_for_s + wait.total_seconds() > patience.give_up_after.total_seconds():
        _give_up(session, post, attempt, f"Given up after retrying: {outcome.reason}", now=now)
        return
    post.errors += 1
    post.tried_for_s += wait.total_seconds()
    post.not_before = now + wait
    session.add(post)
    session.flush()
    if not attempt.is_edit:
        _count_attempt(session, post.id, outcome.reason)


def _gone(session: Session, post: Post, attempt: Attempt, what: Target, reason: str, *, now: datetime) -> None:
    match what:
        case Target.MESSAGE if attempt.is_edit:
            _deleted_by_hand(session, post, attempt, now=now)
        case Target.TOPIC if post.thread_id is not None:
            post.thread_id = None  # the chat without its topic is better than nothing
            session.add(post)
        case _:
            _give_up(session, post, attempt, reason, now=now)


def _deleted_by_hand(session: Session, post: Post, attempt: Attempt, *, now: datetime) -> None:
    """Somebody deleted the post: an alert that is still open is posted anew, anything else is left alone."""
    if not messages.any_open(session, outbox.messages_of(session, [post.id])):
        post.shown_version = attempt.claim.post.version
    else:
        post.telegram_message_ids = []
        post.parts_shown = post.shown_version = 0
        post.urgency = int(Urgency.ALERT)
    session.add(post)


def _give_up(session: Session, post: Post, attempt: Attempt, reason: str, *, now: datetime) -> None:
    """A post that was never shown becomes a dead letter; an edit that fails for good leaves what stands there."""
    message_ids = outbox.messages_of(session, [post.id])
    if attempt.is_edit:
        post.shown_version = attempt.claim.post.version
        session.add(post)
        detail = f"The post in {post.chat_id} could not be edited: {reason}"
        timeline.add(session, message_ids, EventKind.FAILED, now=now, detail=detail)
        return
    post.failure = reason
    session.add(post)
    session.flush()
    _count_attempt(session, post.id, reason)
    _move_deliveries(session, post.id, (DeliveryStatus.WAITING,), status=DeliveryStatus.FAILED)
    timeline.add(session, message_ids, EventKind.FAILED, now=now, detail=f"To {post.chat_id}: {reason}")
    messages.settle(session, message_ids, now=now)


def _note_network(session: Session, outcome: Outcome, *, now: datetime) -> None:
    """Count failures in a row; when Telegram answers again, what backed off meanwhile is due at once."""
    bot = session.get_one(Bot, 1)
    if isinstance(outcome, TryAgain):
        bot.network_errors += 1
        bot.probe_at = now + min(FIRST_PROBE * (1 << min(bot.network_errors, 10)), LONGEST_PROBE)
        return
    if isinstance(outcome, Shown):
        bot.floods = 0
    if bot.network_errors:
        was_away = bot.network_errors >= AWAY_AFTER
        bot.network_errors, bot.probe_at = 0, None
        if was_away:
            _end_backoffs(session, now=now)


def _end_backoffs(session: Session, *, now: datetime) -> None:
    in_trouble = session.exec(select(Post.chat_id, Post.urgency).where(text(IS_IN_TROUBLE)).distinct()).all()
    affected(session, update(Post).where(text(IS_IN_TROUBLE)).values(not_before=now))
    for urgency in Urgency:
        chats.wake(session, {chat_id for chat_id, level in in_trouble if level == urgency}, urgency, now=now)
