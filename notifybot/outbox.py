"""Which post is due, and the claim on it: one call in flight a chat, Telegram's limits kept, alerts first.

A post is due when IS_DUE holds and its `not_before` has come; its chat may be called when nothing is in flight there,
its hold has ended and its pace allows. A claim is good for one call: a first send, the next part, or an edit.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from sqlmodel import Session, col, func, select

from notifybot import chats, timeline
from notifybot.database import affected, insert_rows
from notifybot.formatting import MessageView, PostView
from notifybot.ids import new_id
from notifybot.models import HAS_WORK, IS_DUE, Bot, Chat, Delivery, EventKind, Message, Post, Purpose, Urgency
from notifybot.pacing import Limits
from notifybot.rendering import Button, Entity, Part

LEASE = timedelta(seconds=30)
"""A claim lapses after this: longer than any call to Telegram may take (telegram_http.Timeouts)."""
AWAY_AFTER = 3
"""So many failures in a row, of whatever chats, mean that Telegram is away: then one call at a time probes."""
FAIR_EVERY = 8
"""Every eighth call goes to who waited longest, whatever its urgency, so that nobody starves."""


@dataclass(frozen=True)
class Claim:
    """The right to make one call for one post."""

    post: PostView
    term: int
    is_first: bool
    """The post was not wholly shown before."""
    is_group: bool


@dataclass(frozen=True)
class Claims:
    """What was claimed, and when to look again; None: not before something becomes due."""

    taken: tuple[Claim, ...]
    look_again_at: datetime | None


@dataclass(frozen=True)
class Leader:
    """Who claims: the limits it keeps and its term."""

    term: int
    limits: Limits


def lead(session: Session, *, now: datetime) -> int:
    """Begin a new term. What older terms had in flight may have been accepted: it is counted and due again at once."""
    bot = session.get(Bot, 1) or Bot(id=1)
    bot.term += 1
    bot.probe_at = None
    session.add(bot)
    _free_claims(session, now=now)
    return bot.term


def identity(session: Session) -> dict[str, Any] | None:
    """Who the bot was at the last contact, as Telegram's User object: with it a start needs no Telegram."""
    bot = session.get(Bot, 1)
    return None if bot is None else bot.identity


def remember_identity(session: Session, identity: dict[str, Any]) -> None:
    session.get_one(Bot, 1).identity = identity


def _free_claims(session: Session, *, now: datetime) -> None:
    claimed = session.exec(select(Chat.id, Chat.claimed_post).where(col(Chat.claimed_post).is_not(None))).all()
    for chat_id, post_id in claimed:
        assert post_id is not None
        note_uncertain(session, post_id, now=now, detail="The daemon stopped while a call was under way.")
        chats.release(session, chat_id, now=now)


def note_uncertain(session: Session, post_id: str, *, now: datetime, detail: str) -> None:
    """Count that a send may stand at Telegram without our record. An edit does not count: repeating it shows nothing
    twice."""
    is_send = (col(Post.id) == post_id, col(Post.shown_version) == 0)
    if affected(session, update(Post).where(*is_send).values(uncertain=Post.uncertain + 1)):
        timeline.add(session, messages_of(session, [post_id]), EventKind.UNCERTAIN, now=now, detail=detail)


def messages_of(session: Session, post_ids: Collection[str]) -> list[str]:
    """The ids of the messages that these posts show."""
    shown = select(Delivery.message_id).where(col(Delivery.post_id).in_(post_ids)).distinct()
    return list(session.exec(shown))


def queue(session: Session, posts: Sequence[dict[str, Any]], urgency: Urgency, *, now: datetime) -> None:
    """Insert posts (rows of the table; their chats exist) that are due at once."""
    if posts:
        insert_rows(session, Post, posts)
        chats.wake(session, {post["chat_id"] for post in posts}, urgency, now=now)


def queue_reply(session: Session, chat_id: str, part: Part, *, now: datetime) -> None:
    """Answer somebody in their chat: a post like any other, so that it survives and is paced like one."""
    chats.ensure(session, {chat_id})
    post = new_post(new_id(now), chat_id, Urgency.REPLY, now=now, reply=asdict(part))
    queue(session, [post], Urgency.REPLY, now=now)


def new_post(post_id: str, chat_id: str, urgency: Urgency, *, now: datetime, **other: Any) -> dict[str, Any]:
    """A row for `queue`: nothing shown yet, due now."""
    return {
        "id": post_id,
        "chat_id": chat_id,
        "urgency": int(urgency),
        "not_before": now,
        "telegram_message_ids": [],
        "is_silent": False,
        **other,
    }


def claim_due(session: Session, leader: Leader, *, now: datetime, most: int, turn: int = 0) -> Claims:
    """Claim at most `most` calls that are due and that Telegram's limits allow, most urgent first.

    `turn` counts calls so far; every FAIR_EVERY-th goes to the chat that waited longest.
    """
    bot = session.get_one(Bot, 1)
    is_away = bot.network_errors >= AWAY_AFTER
    pause = max(filter(None, (bot.held_until, bot.probe_at if is_away else None)), default=now)
    if pause > now:
        return Claims((), pause)
    taken: list[Claim] = []
    while len(taken) < (1 if is_away else most):
        open_at = leader.limits.overall.open_at(bot.pace, now)
        if open_at > now:
            return Claims(tuple(taken), open_at)
        claim = _claim_next(session, leader, now=now, is_fair=(turn + len(taken)) % FAIR_EVERY == FAIR_EVERY - 1)
        if claim is None:
            return Claims(tuple(taken), _first_next_at(session))
        bot.pace = leader.limits.overall.advanced(bot.pace, now)
        taken.append(claim)
    if is_away:
        bot.probe_at = now + LEASE
    return Claims(tuple(taken), None)


def _first_next_at(session: Session) -> datetime | None:
    return session.exec(select(func.min(Chat.next_at)).where(text(HAS_WORK))).one()


def _claim_next(session: Session, leader: Leader, *, now: datetime, is_fair: bool) -> Claim | None:
    while (chat := _next_chat(session, now, is_fair=is_fair)) is not None:
        if (claim := _claim_in(session, chat, leader, now=now)) is not None:
            return claim
    return None


def _next_chat(session: Session, now: datetime, *, is_fair: bool) -> Chat | None:
    """The chat to look at: of the most urgent, the one whose post waits longest."""
    ready = select(Chat).where(text(HAS_WORK), col(Chat.next_at) <= now).order_by(col(Chat.next_at)).limit(1)
    if is_fair:
        return session.exec(ready).first()
    for urgency in Urgency:
        if (chat := session.exec(ready.where(Chat.urgency == int(urgency))).first()) is not None:
            return chat
    return None


def _claim_in(session: Session, chat: Chat, leader: Leader, *, now: datetime) -> Claim | None:
    """Claim the chat's top post; None where it must wait, and then the chat's `next_at` says until when."""
    wait_until = _blocked_until(chat, leader.limits, now)
    post = None if wait_until else _top_post(session, chat.id, now)
    if post is not None and post.urgency != Urgency.ALERT:
        wait_until = _quiet_until(chat, leader.limits, now)
    if post is None or wait_until:
        chats.reschedule(session, chat.id, now=now, not_before=wait_until)
        session.refresh(chat)
        return None
    if chat.claimed_post is not None:
        note_uncertain(session, chat.claimed_post, now=now, detail="A call was never heard of again.")
    _pay(chat, leader.limits, post, now)
    chat.claimed_post, chat.claim_term, chat.claim_until = post.id, leader.term, now + LEASE
    chat.next_at = chat.claim_until
    session.add(chat)
    session.flush()
    return Claim(view(session, post, now=now), leader.term, post.shown_version == 0, chats.is_group(chat))


def _blocked_until(chat: Chat, limits: Limits, now: datetime) -> datetime | None:
    """Until when no call at all may go into this chat; None: it may now."""
    reasons = [chat.held_until, chat.claim_until, limits.chat.open_at(chat.pace, now)]
    if chats.is_group(chat):
        reasons.append(limits.group.open_at(chat.group_pace, now))
    latest = max(reason for reason in reasons if reason is not None)
    return latest if latest > now else None


def _quiet_until(chat: Chat, limits: Limits, now: datetime) -> datetime | None:
    """Until when only alerts may go into this chat, which keeps a quarter of a group's budget for them."""
    if not chats.is_group(chat):
        return None
    open_at = limits.group_quiet.open_at(chat.quiet_pace, now)
    return open_at if open_at > now else None


def _pay(chat: Chat, limits: Limits, post: Post, now: datetime) -> None:
    chat.pace = limits.chat.advanced(chat.pace, now)
    if chats.is_group(chat):
        chat.group_pace = limits.group.advanced(chat.group_pace, now)
        if post.urgency != Urgency.ALERT:
            chat.quiet_pace = limits.group_quiet.advanced(chat.quiet_pace, now)


def _top_post(session: Session, chat_id: str, now: datetime) -> Post | None:
    due = select(Post).where(Post.chat_id == chat_id, text(IS_DUE), col(Post.not_before) <= now)
    return session.exec(due.order_by(col(Post.urgency), col(Post.not_before), col(Post.id)).limit(1)).first()


def view(session: Session, post: Post, *, now: datetime) -> PostView:
    """The post as it should stand now."""
    shows = select(Delivery, Message).join(Message).where(Delivery.post_id == post.id).limit(1)
    found = session.exec(shows).first()
    return PostView(
        id=post.id,
        chat_id=post.chat_id,
        version=post.version,
        is_silent=post.is_silent,
        thread_id=post.thread_id,
        telegram_message_ids=tuple(post.telegram_message_ids),
        reply=None if post.reply is None else reply_from(post.reply),
        message=None if found is None else message_view(*found, now=now),
    )


def message_view(delivery: Delivery, message: Message, *, now: datetime) -> MessageView:
    return MessageView(
        id=message.id,
        state=message.state,
        is_alert=message.is_alert,
        is_escalation=delivery.purpose is Purpose.ESCALATION,
        title=message.title,
        content=message.content,
        source=message.source,
        created_at=message.created_at,
        shown_at=delivery.shown_at or now,
        escalated_at=message.escalated_at,
        acknowledged_at=message.acknowledged_at,
        acknowledged_by=None if message.acknowledged_by is None else name_of(message.acknowledged_by),
        closed_at=message.closed_at,
    )


def name_of(who: dict[str, Any]) -> str:
    """The name that people see of `acknowledged_by`."""
    if "account" in who:
        return str(who["account"])
    return f"{who['name']} (@{who['username']})" if who.get("username") else str(who["name"])


def reply_from(stored: dict[str, Any]) -> Part:
    """A ready answer, from the form in which `reply_row` keeps it."""
    return Part(
        stored["text"],
        tuple(Entity(**entity) for entity in stored["entities"]),
        tuple(tuple(Button(**button) for button in row) for row in stored["buttons"]),
    )
