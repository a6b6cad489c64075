"""Record the outcome of a call: what it changes in the rows, and what is due next.

Statements are built once; see delivery/claims.py.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import bindparam, select, true, update
from sqlmodel import Session

from notifybot.delivery import as_text, outage, post_shown, topics
from notifybot.delivery.attempt import Attempt, RetryPolicy
from notifybot.delivery.rate_limits import backoff
from notifybot.messages import attachments, queries, transitions
from notifybot.model.chats import Bot, Chat, Post
from notifybot.model.enums import AsText, DeliveryStatus, EventKind, Urgency
from notifybot.model.messages import Delivery
from notifybot.posts import chat_troubles, chats, posts, timeline
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
    Target,
    TryAgain,
)
from notifybot.rendering.parts import Delete, Edit, Fetch, FileId, Send
from notifybot.rendering.render import TextTurn
from notifybot.storage.statements import fetch, run, table_of
from notifybot.storage.writer import changes

MAX_FETCHES = 5
"""Attempts at a file's URL that Telegram could not fetch; then the text goes without the file."""

BOT, CHATS, POSTS, DELIVERIES = table_of(Bot), table_of(Chat), table_of(Post), table_of(Delivery)
# The post, with its chat and the bot: nearly every call leaves them as they are.
_CALLED = (
    select(
        POSTS.c.id,
        POSTS.c.chat_id,
        POSTS.c.shown_version,
        POSTS.c.errors,
        POSTS.c.tried_for_s,
        POSTS.c.thread_id,
        POSTS.c.shown,
        POSTS.c.as_text,
        POSTS.c.files_follow,
        POSTS.c.is_reminder,
        POSTS.c.reposted_version,
        CHATS.c.kind,
        CHATS.c.unreachable,
        CHATS.c.is_new,
        *outage.BOT_COLUMNS,
    )
    .join(CHATS, CHATS.c.id == POSTS.c.chat_id)
    .join(BOT, true())
    .where(POSTS.c.id == bindparam("post"))
)
_this_post = update(POSTS).where(POSTS.c.id == bindparam("post"))
_SHOWN = _this_post.values(
    shown=bindparam("shown_parts"),
    parts_shown=bindparam("parts"),
    shown_version=bindparam("version_shown"),
    urgency=bindparam("urgency_after"),
    errors=0,
    tried_for_s=0.0,
    withdrawn_at=None,
)
_EDITED = _this_post.values(shown_version=bindparam("version_shown"), errors=0, tried_for_s=0.0)
_BACK_OFF = _this_post.values(
    errors=POSTS.c.errors + 1, tried_for_s=bindparam("tried"), not_before=bindparam("retry_at")
)
_AS_TEXT = _this_post.values(as_text=bindparam("given_up"))
_REPOST = _this_post.values(
    shown=bindparam("shown_parts"),
    parts_shown=bindparam("parts"),
    shown_version=0,
    urgency=int(Urgency.ALERT),
    reposted_version=bindparam("refused_version"),
)
_FAILED = _this_post.values(failure=bindparam("reason"))
_deliveries = update(DELIVERIES).where(DELIVERIES.c.post_id == bindparam("post"))
_COUNT_ATTEMPT = _deliveries.values(attempts=DELIVERIES.c.attempts + 1, last_error=bindparam("error"))
_UNDELIVERABLE = _deliveries.where(DELIVERIES.c.status == DeliveryStatus.WAITING).values(status=DeliveryStatus.FAILED)


def record(
    session: Session,
    attempt: Attempt,
    outcome: Outcome,
    *,
    now: datetime,
    policy: RetryPolicy,
    is_away: bool = False,
) -> None:
    """Record the outcome of one claimed call and end the claim. `is_away`: no updates can be fetched either."""
    post = next(iter(fetch(session, _CALLED, post=attempt.claim.post.id)), None)
    # A failed upload says nothing about Telegram: small calls may get through all the same.
    is_failed_upload = isinstance(outcome, TryAgain) and bool(attempt.media)
    if attempt.call is not None and not isinstance(attempt.call, Fetch) and not is_failed_upload:
        outage.note_outcome(session, post, outcome, now=now, is_away=is_away)
    if post is not None:  # a message may be deleted while its call hangs
        _apply(session, post, attempt, outcome, now=now, policy=policy)
    chats.release(session, attempt.claim.post.chat_id)
    changes(session).is_call_over = True
    if not isinstance(outcome, Shown) or post is None or post.is_new or outage.is_troubled(post):
        changes(session).is_work_due = True  # perhaps in other chats


def _apply(
    session: Session, post: Any, attempt: Attempt, outcome: Outcome, *, now: datetime, policy: RetryPolicy
) -> None:
    match outcome:
        case Shown():
            _accept(session, post, attempt, outcome, now=now)
        case HoldOff(wait):
            _hold(session, post, wait, now=now)
        case TryAgain():
            _try_again(session, post, attempt, outcome, now=now, policy=policy)
        case Reformat():
            _reformat(session, post, attempt, outcome, now=now)
        case FileRefused():
            _file_refused(session, post, attempt, outcome, now=now)
        case Fetched(file):
            assert isinstance(attempt.call, Fetch)
            attachments.note_fetched(session, attempt.call.attachment_id, file)
        case NotFetched():
            _not_fetched(session, post, attempt, outcome, now=now, policy=policy)
        case Gone(what, reason):
            _gone(session, post, attempt, what, reason, now=now)
        case GiveUp(reason, is_chat_unreachable):
            if is_chat_unreachable:
                chats.mark_unreachable(session, post.chat_id, reason)
            _give_up(session, post, attempt, reason, now=now)
        case ChatMoved(to):
            chats.move(session, post.chat_id, to)
        case BotRefused():
            pass  # delivery/outage.py holds the whole bot
        case _:
            assert_never(outcome)


def _accept(session: Session, post: Any, attempt: Attempt, outcome: Shown, *, now: datetime) -> None:
    if post.is_new or post.kind is None or post.unreachable is not None:
        chats.note_answer(session, post.chat_id, outcome.chat_kind)
    topics.note_accepted(session, post, attempt.call)
    _note_part(session, post, attempt, outcome.message_ids)
    attachments.note_uploaded(session, attempt.media, outcome.file_ids)
    if post_shown.shows_post(post, attempt) and post_shown.is_undelivered(session, post):
        post_shown.note_shown(session, post, attempt, now=now)
    else:
        _reshown(session, post, attempt, now=now)
    if outcome.chat_id != post.chat_id and post.chat_id.startswith("@"):
        chats.rename(session, post.chat_id, outcome.chat_id)


def _note_part(session: Session, post: Any, attempt: Attempt, message_ids: Sequence[int]) -> None:
    """Record that the attempt's part is up to date; its version is shown after the last part."""
    parts = _parts_after(post.shown, attempt, message_ids)
    is_whole = post_shown.shows_post(post, attempt) or post.shown_version > 0
    version = attempt.claim.post.version if attempt.is_last else post.shown_version
    urgency = Urgency.EDIT if is_whole else attempt.claim.urgency
    after = {"shown_parts": parts, "parts": len(parts), "version_shown": version, "urgency_after": int(urgency)}
    run(session, _SHOWN, post=post.id, **after)


def _pass_over(session: Session, post: Any, attempt: Attempt, *, now: datetime) -> None:
    """Leave a part that cannot be edited as it is, and go on with the others."""
    _note_part(session, post, attempt, ())
    if post_shown.shows_post(post, attempt) and post_shown.is_undelivered(session, post):
        post_shown.note_shown(session, post, attempt, now=now)


def _parts_after(shown: Sequence[Sequence[Any]], attempt: Attempt, message_ids: Sequence[int]) -> list[list[Any]]:
    """Return what the chat shows after an accepted call (model.chats.Post.shown). A press may have revealed meanwhile
    where the part is shown already (posts.adopt); if that is another copy, this call's is one too many."""
    parts = [list(part) for part in shown]
    here = parts[attempt.place : attempt.place + 1]
    match attempt.call:
        case Send():
            is_known = not here or here[0][1:] == list(message_ids)
            parts[attempt.place : attempt.place + is_known] = [[attempt.digest, *message_ids]]
        case Edit() if here:
            parts[attempt.place] = [attempt.digest, *here[0][1:]]
        case Delete():
            del parts[attempt.place : attempt.place + 1]
    return parts


def _reshown(session: Session, post: Any, attempt: Attempt, *, now: datetime) -> None:
    """Record that one part was shown, or the whole post in a newer version."""
    if attempt.is_send:
        _count_attempt(session, post.id)
    if attempt.is_last and attempt.call is not None:
        is_file = post.shown_version == 0 and bool(attempt.media)
        kind, what = (EventKind.SENT, "Files to") if is_file else (EventKind.EDITED, "In")
        timeline.add(
            session, posts.messages_of(session, post.id), kind, now=now, detail=f"{what} {topics.place_of(post)}."
        )


def _count_attempt(session: Session, post_id: str, error: str | None = None) -> None:
    run(session, _COUNT_ATTEMPT, post=post_id, error=error)


def _hold(session: Session, post: Any, wait: timedelta, *, now: datetime) -> None:
    """Make the chat wait as long as a 429 says; delivery/outage.py decides whether the whole bot waits."""
    until = now + wait
    chats.hold(session, post.chat_id, until)
    chat_troubles.note_ban(session, post.chat_id, until=until, now=now)
    outage.note_flood(session, wait, now=now)
    transitions.escalate_held(session, post.chat_id, until, now=now)


def _try_again(
    session: Session, post: Any, attempt: Attempt, outcome: TryAgain, *, now: datetime, policy: RetryPolicy
) -> None:
    if outcome.uncertain and attempt.is_send:
        posts.note_uncertain(session, post.id, now=now, detail=outcome.reason, is_send=True)
    wait = backoff(post.errors + 1, jitter=policy.jitter)
    tried = post.tried_for_s + wait.total_seconds()
    if tried > policy.give_up_after.total_seconds():
        _give_up_trying(session, post, attempt, f"Given up after retrying: {outcome.reason}", now=now)
        return
    is_text_next = False
    if attempt.media and (post.errors or outcome.was_slow):
        is_text_next = post_shown.let_files_follow(session, post, attempt, now=now)
    elif attempt.is_send and not attempt.media and not post.shown:
        # The text fares no better, so the files are not to blame.
        post_shown.keep_together(session, post)
    run(session, _BACK_OFF, post=post.id, tried=tried, retry_at=now if is_text_next else now + wait)
    if attempt.is_send:
        _count_attempt(session, post.id, outcome.reason)
        changes(session).messages.update(posts.messages_of(session, post.id))


def _give_up_trying(session: Session, post: Any, attempt: Attempt, reason: str, *, now: datetime) -> None:
    """Give up a file that could not be uploaded, or a post."""
    files = [file.attachment_id for file in attempt.media if file.attachment_id is not None]
    if not files:
        _give_up(session, post, attempt, reason, now=now)
        return
    _count_attempt(session, post.id, reason)
    for attachment_id in files:
        attachments.note_missing(session, attachment_id, reason, now=now)


def _reformat(session: Session, post: Any, attempt: Attempt, refused: Reformat, *, now: datetime) -> None:
    """Write what was refused in the text instead: neither formatting nor buttons cost a message."""
    step = as_text.next_step(AsText(post.as_text), refused)
    if step is None:
        _give_up(session, post, attempt, f"Telegram could not parse it: {refused.reason}", now=now)
        return
    run(session, _AS_TEXT, post=post.id, given_up=post.as_text | step)
    detail = as_text.detail(step, post.chat_id, refused.reason)
    timeline.add(session, posts.messages_of(session, post.id), EventKind.REFORMATTED, now=now, detail=detail)


def _file_refused(session: Session, post: Any, attempt: Attempt, refused: FileRefused, *, now: datetime) -> None:
    """Try the files another way: an album file by file, a file as attachments.note_refused says. The text goes without
    waiting for that, unless it is a matter of one call: the file_id was forgotten, or there is no other way."""
    is_forgotten = all(isinstance(file.source, FileId) for file in refused.media)
    is_album = len(refused.media) == len(attempt.media) > 1 and not (is_forgotten or refused.is_final)
    if not is_album and not attachments.note_refused(session, refused, now=now):
        _give_up(session, post, attempt, refused.reason, now=now)
        return
    if not (is_forgotten or refused.is_final):
        post_shown.let_files_follow(session, post, attempt, now=now)
    _count_attempt(session, post.id, refused.reason)


def _not_fetched(
    session: Session, post: Any, attempt: Attempt, outcome: NotFetched, *, now: datetime, policy: RetryPolicy
) -> None:
    assert isinstance(attempt.call, Fetch)
    if outcome.is_temporary and post.errors < MAX_FETCHES:
        wait = backoff(post.errors + 1, jitter=policy.jitter)
        is_text_next = post_shown.let_files_follow(session, post, attempt, now=now)
        retry_at = now if is_text_next else now + wait
        run(session, _BACK_OFF, post=post.id, tried=post.tried_for_s + wait.total_seconds(), retry_at=retry_at)
    else:
        attachments.note_missing(session, attempt.call.attachment_id, outcome.reason, now=now)


def _gone(session: Session, post: Any, attempt: Attempt, what: Target, reason: str, *, now: datetime) -> None:
    match what:
        case Target.MESSAGE if isinstance(attempt.call, Edit):
            _edit_refused(session, post, attempt, reason, now=now)
        case Target.TOPIC if topics.note_refused(session, post, attempt.call, reason, now=now):
            pass  # the post is due again, and goes to the chat itself
        case _:
            _give_up(session, post, attempt, reason, now=now)


def _edit_refused(session: Session, post: Any, attempt: Attempt, reason: str, *, now: datetime) -> None:
    """Post a part that is gone, or cannot be edited any more, again if its alert is open.

    This happens once per post, so that a chat in which no edit works does not get a post for each change. A reminder is
    not posted again: the chat has another post of the alert.
    """
    message_ids, version = posts.messages_of(session, post.id), attempt.claim.post.version
    may_repost = not post.is_reminder and post.reposted_version in (0, version)
    if not may_repost or not queries.any_unacknowledged(session, message_ids):
        _note_edit_failed(session, post, message_ids, reason, now=now)
        _pass_over(session, post, attempt, now=now)
        return
    _note_edit_failed(session, post, message_ids, f"{reason}. The alert is open, so it is posted again", now=now)
    parts = [part for place, part in enumerate(post.shown) if place != attempt.place]
    run(session, _REPOST, post=post.id, shown_parts=parts, parts=len(parts), refused_version=version)


def _note_edit_failed(session: Session, post: Any, message_ids: Sequence[str], reason: str, *, now: datetime) -> None:
    detail = f"The post in {topics.place_of(post)} could not be edited: {reason}."
    timeline.add(session, message_ids, EventKind.FAILED, now=now, detail=detail)


def _give_up(session: Session, post: Any, attempt: Attempt, reason: str, *, now: datetime) -> None:
    """Make a post that was never shown a dead letter. After a failed edit the chat keeps the old version; the
    remaining parts of an incomplete post still follow. A text whose file was given up is shown and can be edited."""
    message_ids = posts.messages_of(session, post.id)
    if isinstance(attempt.call, Edit):
        _note_edit_failed(session, post, message_ids, reason, now=now)
        if post.shown_version:
            run(session, _EDITED, post=post.id, version_shown=attempt.claim.post.version)
        else:
            _pass_over(session, post, attempt, now=now)
        return
    _count_attempt(session, post.id, reason)
    if attempt.media and attempt.text is TextTurn.BEFORE:
        timeline.add(
            session, message_ids, EventKind.FAILED, now=now, detail=f"A file to {topics.place_of(post)}: {reason}"
        )
        post_shown.let_files_follow(session, post, attempt, now=now)
        run(session, _EDITED, post=post.id, version_shown=attempt.claim.post.version)
        return
    run(session, _FAILED, post=post.id, reason=reason)
    run(session, _UNDELIVERABLE, post=post.id)
    timeline.add(session, message_ids, EventKind.FAILED, now=now, detail=f"To {topics.place_of(post)}: {reason}")
    transitions.settle(session, post.id, now=now)
    transitions.escalate_after_failure(session, post.id, now=now)
