"""Handle a pressed button and answer with one sentence."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from notifybot.alerts import snooze, unacknowledge
from notifybot.alerts.acknowledge import acknowledge_late, try_acknowledge
from notifybot.alerts.close import try_close
from notifybot.alerts.snooze import SnoozeRequest
from notifybot.messages import queries
from notifybot.model.actors import Actor, name_of
from notifybot.model.messages import Delivery
from notifybot.model.states import State
from notifybot.people import preferences
from notifybot.posts import posts
from notifybot.recipients.directory import Directory
from notifybot.rendering.buttons import (
    AcknowledgeMessagePress,
    AcknowledgePress,
    ClosePress,
    Snooze,
    SnoozePress,
    UnacknowledgePress,
)
from notifybot.times.display import clock_time


@dataclass(frozen=True)
class PressedButton:
    """A button pressed at Telegram: what it means, where it stands, and who pressed."""

    meaning: AcknowledgePress | SnoozePress | ClosePress | UnacknowledgePress | AcknowledgeMessagePress
    chat_id: str
    telegram_message_id: int
    actor: Actor


@dataclass(frozen=True)
class PressRules:
    """What the config says of presses. `only_linked`: those of other people do not count. `closes`: an acknowledgement
    closes an alert. `snoozes`: for how long alerts may be snoozed."""

    directory: Directory
    only_linked: bool = False
    closes: bool = True
    snoozes: Collection[Snooze] = ()


def press(session: Session, pressed: PressedButton, rules: PressRules, *, now: datetime) -> str:
    """Take a press; return the one sentence that the person sees. It counts however late it comes."""
    meaning, actor = pressed.meaning, pressed.actor
    message_ids = _messages_of(session, pressed)
    if not message_ids:
        return "This button belongs to a message that notifybot does not know any more."
    if not isinstance(meaning, AcknowledgeMessagePress):
        posts.adopt(session, meaning.post_id, pressed.chat_id, pressed.telegram_message_id)
    if rules.only_linked and not preferences.is_linked(session, actor):
        return "This does not count: only people who are linked may answer here. Send me /start in a private chat."
    match meaning:
        case SnoozePress():
            sleep = SnoozeRequest(meaning.snooze, rules.snoozes, rules.directory.time_zone)
            return snooze.press(session, message_ids, actor, sleep, now=now)
        case ClosePress():
            return _press_close(session, message_ids, actor, now=now)
        case UnacknowledgePress():
            return unacknowledge.press(session, message_ids, actor, rules.directory, now=now)
        case _:
            return _press_acknowledge(session, message_ids, actor, rules, now=now)


def _press_acknowledge(
    session: Session, message_ids: Collection[str], actor: Actor, rules: PressRules, *, now: datetime
) -> str:
    taken = [each for each in message_ids if try_acknowledge(session, each, actor, now=now, closes=rules.closes)]
    if not taken:
        return _answer_too_late(session, message_ids, actor, now=now)
    said = "Acknowledged" if len(message_ids) == 1 else f"Acknowledged {len(taken)} alerts"
    return f"{said}." if rules.closes else f"{said}. Close it once it is over, or take it back."


def _press_close(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime) -> str:
    """Close what somebody has acknowledged; where that was taken back meanwhile, nobody means to close it unseen."""
    found = [queries.find(session, message_id) for message_id in message_ids]
    resting = [message.id for message in found if message.state is State.ACKNOWLEDGED]
    closed = [message_id for message_id in resting if try_close(session, message_id, actor, now=now)]
    if closed:
        return "Closed." if len(message_ids) == 1 else f"Closed {len(closed)} alerts."
    if found[0].state is State.CLOSED:
        return "This alert is closed already."
    return "The acknowledgement was taken back: acknowledge it first."


def _messages_of(session: Session, pressed: PressedButton) -> list[str]:
    """The messages that the pressed button answers: only such as have a delivery in the chat where it stands."""
    of_chat = select(Delivery.message_id).where(Delivery.chat_id == pressed.chat_id).distinct()
    match pressed.meaning:
        case AcknowledgePress(post_id) | SnoozePress(post_id) | ClosePress(post_id) | UnacknowledgePress(post_id):
            return list(session.exec(of_chat.where(Delivery.post_id == post_id)))
        case AcknowledgeMessagePress(message_id):
            return list(session.exec(of_chat.where(Delivery.message_id == message_id)))


def _answer_too_late(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime) -> str:
    """What to say where nothing could be acknowledged any more. A first answer after time closed the alert is kept."""
    message = queries.find(session, next(iter(message_ids)))
    if message.acknowledged_by is not None and message.acknowledged_at is not None:
        when = clock_time(message.acknowledged_at, now)
        return f"{name_of(message.acknowledged_by)} acknowledged this at {when}."
    if message.state is State.CANCELLED or not message.is_alert:
        return "There is nothing to acknowledge here any more."
    for message_id in message_ids:
        acknowledge_late(session, message_id, actor, now=now)
    return "This alert was closed before; your answer is recorded."
