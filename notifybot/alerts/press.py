"""Handle a pressed button, and reply with one sentence."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from notifybot.alerts import acknowledge, close, snooze, unacknowledge
from notifybot.alerts.snooze import SnoozeRequest
from notifybot.model.actors import Actor
from notifybot.model.messages import Delivery
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


@dataclass(frozen=True)
class PressedButton:
    """A button that someone pressed in a chat."""

    meaning: AcknowledgePress | SnoozePress | ClosePress | UnacknowledgePress | AcknowledgeMessagePress
    chat_id: str
    telegram_message_id: int
    actor: Actor


@dataclass(frozen=True)
class PressRules:
    """The configured rules for presses. `only_linked`: others' presses do not count. `closes`: an acknowledgement
    closes the alert. `snoozes`: the spans on offer."""

    directory: Directory
    only_linked: bool = False
    closes: bool = True
    snoozes: Collection[Snooze] = ()


def press(session: Session, pressed: PressedButton, rules: PressRules, *, now: datetime) -> str:
    """Apply the pressed button; return the reply shown to the user. Late presses count too."""
    meaning, actor = pressed.meaning, pressed.actor
    message_ids = _messages_of(session, pressed)
    if not message_ids:
        return "notifybot no longer has the message of this button."
    if not isinstance(meaning, AcknowledgeMessagePress):
        posts.adopt(session, meaning.post_id, pressed.chat_id, pressed.telegram_message_id)
    if rules.only_linked and not preferences.is_linked(session, actor):
        return "Only people with a linked account can do this here. Send me /start in a private chat."
    match meaning:
        case SnoozePress():
            request = SnoozeRequest(meaning.snooze, rules.snoozes, rules.directory.time_zone)
            return snooze.press(session, message_ids, actor, request, now=now)
        case ClosePress():
            return close.press(session, message_ids, actor, now=now)
        case UnacknowledgePress():
            return unacknowledge.press(session, message_ids, actor, rules.directory, now=now)
        case _:
            return acknowledge.press(session, message_ids, actor, now=now, closes=rules.closes)


def _messages_of(session: Session, pressed: PressedButton) -> list[str]:
    """Return the messages of the pressed button, oldest first. Only those with a delivery in its chat count."""
    of_chat = select(Delivery.message_id).where(Delivery.chat_id == pressed.chat_id).distinct()
    of_chat = of_chat.order_by(Delivery.message_id)
    match pressed.meaning:
        case AcknowledgePress(post_id) | SnoozePress(post_id) | ClosePress(post_id) | UnacknowledgePress(post_id):
            return list(session.exec(of_chat.where(Delivery.post_id == post_id)))
        case AcknowledgeMessagePress(message_id):
            return list(session.exec(of_chat.where(Delivery.message_id == message_id)))
