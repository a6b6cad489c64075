"""What the bot says to people, ready to be shown."""

from collections.abc import Sequence
from datetime import datetime

from notifybot.buttons import open_alert_button
from notifybot.formatting import clock_time
from notifybot.models import Message, Person
from notifybot.rendering import Entity, Part
from notifybot.splitting import utf16_len

MAX_LABEL = 40

HELP = Part(
    "notifybot tells you here what your servers have to say.\n\n"
    "/start subscribes you and shows the ids by which you are reached\n"
    "/open lists the alerts of this chat that wait for an answer\n"
    "/help shows this\n\n"
    "An alert has an Acknowledge button. Whoever presses it answers for everybody; unanswered, it escalates."
)
UNKNOWN_COMMAND = Part("Use /start to link your account.")
NOT_A_COMMAND = Part("I understand commands only; /help lists them.")


def welcome(person: Person, code: str, *, is_new: bool, is_void: bool) -> Part:
    """What /start says. `is_void`: it came by a deep link that links nothing any more."""
    void = ["This link is not valid: it was used, its 10 minutes are over, or it was never one.", ""]
    lines = [
        *(void if is_void else []),
        "You are subscribed." if is_new else "You are subscribed already.",
        *([] if person.account is None else [f"This chat is linked to the account {person.account}."]),
        "",
        f"user_id: {person.user_id}",
        f"chat_id: {person.chat_id}",
        f"code: {code}",
        "",
        "The code links this chat to your account, once, within 10 minutes: enter it in your dashboard, or run "
        f"notifybot verify {code} on the server. Without an account, give one of the ids to whoever writes to you.",
        "",
        "/help shows what you can do here.",
    ]
    return _with_code("\n".join(lines), person.user_id, person.chat_id, code)


def group_id(chat_id: str) -> Part:
    return _with_code(f"This chat's id is {chat_id}. Messages come here with it as channel_id.", chat_id)


def open_alerts(waiting: Sequence[Message], *, most: int, now: datetime) -> Part:
    """A line and a button for each, at most `most`; one more in `waiting` says that there are more."""
    if not waiting:
        return Part("Nothing waits for an answer here.")
    shown = waiting[:most]
    lines = [f"{n}. {_label(message)} ({clock_time(message.created_at, now)})" for n, message in enumerate(shown, 1)]
    if len(waiting) > most:
        lines.append("There are more; these are the newest.")
    buttons = tuple((open_alert_button(message.id, f"Acknowledge {n}"),) for n, message in enumerate(shown, 1))
    return Part("Waiting for an answer:\n" + "\n".join(lines), buttons=buttons)


def _label(message: Message) -> str:
    text = " ".join((message.title or message.content).split())
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def _with_code(text: str, *spans: str) -> Part:
    """Mark these spans as code, so that a tap copies them."""
    entities = tuple(Entity("code", utf16_len(text[: text.index(f" {span}") + 1]), utf16_len(span)) for span in spans)
    return Part(text, entities)
