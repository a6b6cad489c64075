"""What people answer: acknowledge, close, cancel, and a button pressed under a post."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, text, update
from sqlmodel import Session, col, select

from notifybot import messages, outbox, preferences, repeats, schedules, snoozing, timeline, unacknowledging
from notifybot.buttons import MessageAnswer, PostAnswer, PostClose, PostSnooze, PostUnacknowledge, Snooze
from notifybot.database import affected, changes
from notifybot.errors import Conflict
from notifybot.formatting import clock_time
from notifybot.kinds import Deadline, EventKind
from notifybot.lifecycle import State, Step
from notifybot.messages import Actor, name_of
from notifybot.models import IS_OPEN, Delivery, Message, Post
from notifybot.recipients import Directory
from notifybot.snoozing import Sleep


def acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool = True) -> Message:
    """Answer an alert and close it, or let it rest until somebody closes it; a second answer changes nothing and
    returns the first.

    Raises Conflict for a notice, and for an alert that was not sent yet, or closed or cancelled unanswered.
    """
    message = messages.find(session, message_id)
    if message.is_alert and message.acknowledged_at is not None:
        return message
    messages.check_released(message, now=now)
    if not _acknowledge(session, message_id, actor, now=now, closes=closes):
        raise Conflict(_why_not_acknowledged(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return messages.find(session, message_id)


def _acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool) -> bool:
    """Acknowledged and, where it `closes`, at once closed, with both lines in the timeline; False where its state
    forbids it. Where it rests people are reminded as long after this as they were before."""
    message = messages.find(session, message_id)
    every = message.remind_every_s
    remind_at = None if every is None else now + timedelta(seconds=every)
    facts = {"acknowledged_at": now, "acknowledged_by": actor.facts, "remind_at": remind_at}
    if not message.is_alert or not messages.move(session, message_id, Step.ACKNOWLEDGE, **facts):
        return False
    timeline.add(session, [message_id], EventKind.ACKNOWLEDGED, now=now, actor=actor.name)
    messages.withdraw_unshown(session, message_id, now=now)
    if message.dedup_key is not None:
        repeats.keep_after_answer(session, message_id, now=now)
    if closes:
        _close(session, message_id, actor, now=now)
    else:
        changes(session).note_deadline(Deadline.REMIND, remind_at)
        messages.refresh_posts(session, [message_id], now=now)
    return True


def _why_not_acknowledged(message: Message) -> str:
    if not message.is_alert:
        return "This message is a notice; only an alert can be acknowledged."
    return f"This alert is {message.state} already, and nobody had acknowledged it."


def _close(session: Session, message_id: str, actor: Actor, *, now: datetime) -> bool:
    if not messages.move(session, message_id, Step.CLOSE, closed_at=now):
        return False
    timeline.add(session, [message_id], EventKind.CLOSED, now=now, actor=actor.name)
    messages.refresh_posts(session, [message_id], now=now)
    return True


def close(session: Session, message_id: str, actor: Actor, *, now: datetime) -> Message:
    """Close an alert by hand, and show no more of it; one that is closed already stays as it is.

    Raises Conflict for a notice, and for an alert that was not sent yet or cancelled.
    """
    message = messages.find(session, message_id)
    if message.state is State.CLOSED:
        return message
    if not message.is_alert:
        raise Conflict("This message is a notice; it ends by itself and cannot be closed.")
    messages.check_released(message, now=now)
    if not _close(session, message_id, actor, now=now):
        raise Conflict(f"This alert is {message.state} and cannot be closed.")
    messages.withdraw_unshown(session, message_id, now=now)
    return messages.find(session, message_id)


def cancel(session: Session, message_id: str, actor: Actor, *, now: datetime) -> Message:
    """Take a message back before it was shown; cancelling again changes nothing. Raises Conflict once it stands in a
    chat. Where a call is under way it may still appear there, and is then marked as cancelled. Of a message that
    repeats this leaves out one occurrence: the next one waits at once."""
    message = messages.find(session, message_id)
    if message.state is State.CANCELLED:
        return message
    if _was_shown(session, message_id) or not messages.move(session, message_id, Step.CANCEL, closed_at=now):
        hint = "An alert can be closed instead." if message.is_alert else None
        raise Conflict("This message was shown already and cannot be cancelled.", hint=hint)
    timeline.add(session, [message_id], EventKind.CANCELLED, now=now, actor=actor.name)
    if message.state is State.SCHEDULED and message.schedule_id is not None:
        schedules.skip(session, message, now=now)
    messages.withdraw_unshown(session, message_id, now=now)
    messages.refresh_posts(session, [message_id], now=now)
    return messages.find(session, message_id)


def _was_shown(session: Session, message_id: str) -> bool:
    of_message = select(Post.id).join(Delivery).where(Delivery.message_id == message_id)
    return session.exec(of_message.where(col(Post.parts_shown) > 0)).first() is not None


@dataclass(frozen=True)
class Press:
    """A button pressed at Telegram: what it means, where it stands, and who pressed."""

    meaning: PostAnswer | PostSnooze | PostClose | PostUnacknowledge | MessageAnswer
    chat_id: str
    telegram_message_id: int
    actor: Actor


@dataclass(frozen=True)
class Rules:
    """What the config says of presses. `only_linked`: those of other people do not count. `closes`: an acknowledgement
    closes an alert. `snoozes`: for how long alerts may be snoozed."""

    directory: Directory
    only_linked: bool = False
    closes: bool = True
    snoozes: Collection[Snooze] = ()


def press(session: Session, pressed: Press, rules: Rules, *, now: datetime) -> str:
    """Take a press; return the one sentence that the person sees. It counts however late it comes."""
    meaning, actor = pressed.meaning, pressed.actor
    message_ids = _meant(session, pressed)
    if not message_ids:
        return "This button belongs to a message that notifybot does not know any more."
    if not isinstance(meaning, MessageAnswer):
        outbox.adopt(session, meaning.post_id, pressed.chat_id, pressed.telegram_message_id)
    if rules.only_linked and not preferences.is_linked(session, actor):
        return "This does not count: only people who are linked may answer here. Send me /start in a private chat."
    match meaning:
        case PostSnooze():
            sleep = Sleep(meaning.snooze, rules.snoozes, rules.directory.time_zone)
            return snoozing.press(session, message_ids, actor, sleep, now=now)
        case PostClose():
            return _press_close(session, message_ids, actor, now=now)
        case PostUnacknowledge():
            return unacknowledging.press(session, message_ids, actor, rules.directory, now=now)
        case _:
            return _press_acknowledge(session, message_ids, actor, rules, now=now)


def _press_acknowledge(
    session: Session, message_ids: Collection[str], actor: Actor, rules: Rules, *, now: datetime
) -> str:
    taken = [each for each in message_ids if _acknowledge(session, each, actor, now=now, closes=rules.closes)]
    if not taken:
        return _already(session, message_ids, actor, now=now)
    said = "Acknowledged" if len(message_ids) == 1 else f"Acknowledged {len(taken)} alerts"
    return f"{said}." if rules.closes else f"{said}. Close it once it is over, or take it back."


def _press_close(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime) -> str:
    """Close what somebody has acknowledged; where that was taken back meanwhile, nobody means to close it unseen."""
    found = [messages.find(session, message_id) for message_id in message_ids]
    resting = [message.id for message in found if message.state is State.ACKNOWLEDGED]
    closed = [message_id for message_id in resting if _close(session, message_id, actor, now=now)]
    if closed:
        return "Closed." if len(message_ids) == 1 else f"Closed {len(closed)} alerts."
    if found[0].state is State.CLOSED:
        return "This alert is closed already."
    return "The acknowledgement was taken back: acknowledge it first."


def _meant(session: Session, pressed: Press) -> list[str]:
    """The messages that the pressed button answers: only such as have a delivery in the chat where it stands."""
    of_chat = select(Delivery.message_id).where(Delivery.chat_id == pressed.chat_id).distinct()
    match pressed.meaning:
        case PostAnswer(post_id) | PostSnooze(post_id) | PostClose(post_id) | PostUnacknowledge(post_id):
            return list(session.exec(of_chat.where(Delivery.post_id == post_id)))
        case MessageAnswer(message_id):
            return list(session.exec(of_chat.where(Delivery.message_id == message_id)))


def _already(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime) -> str:
    """What to say where nothing could be acknowledged any more. A first answer after time closed the alert is kept."""
    message = messages.find(session, next(iter(message_ids)))
    if message.acknowledged_by is not None and message.acknowledged_at is not None:
        when = clock_time(message.acknowledged_at, now)
        return f"{name_of(message.acknowledged_by)} acknowledged this at {when}."
    if message.state is State.CANCELLED or not message.is_alert:
        return "There is nothing to acknowledge here any more."
    for message_id in message_ids:
        _answer_late(session, message_id, actor, now=now)
    return "This alert was closed before; your answer is recorded."


def _answer_late(session: Session, message_id: str, actor: Actor, *, now: datetime) -> None:
    unanswered = (col(Message.id) == message_id, col(Message.acknowledged_at).is_(None))
    facts = {"acknowledged_at": now, "acknowledged_by": actor.facts}
    if not affected(session, update(Message).where(*unanswered).values(**facts)):
        return
    timeline.add(
        session, [message_id], EventKind.ACKNOWLEDGED, now=now, actor=actor.name, detail="After it was closed."
    )
    repeats.keep_after_answer(session, message_id, now=now)
    changes(session).messages.add(message_id)
    messages.refresh_posts(session, [message_id], now=now)


def open_alerts(session: Session, chat_id: str, *, most: int) -> list[Message]:
    """The alerts shown in this chat that are not closed, newest first: those that rest acknowledged too."""
    is_here = exists().where(col(Delivery.message_id) == Message.id, col(Delivery.chat_id) == chat_id)
    here = select(Message).where(text(IS_OPEN), is_here)
    return list(session.exec(here.order_by(col(Message.id).desc()).limit(most)))
