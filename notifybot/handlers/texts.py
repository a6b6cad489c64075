"""What the bot says to people, ready to be shown."""

from collections.abc import Sequence
from datetime import datetime

from telegram import Chat

from notifybot.model.actors import name_of
from notifybot.model.messages import Message
from notifybot.model.people import Person
from notifybot.rendering.buttons import open_alert_button
from notifybot.rendering.parts import Entity, Part
from notifybot.rendering.split import utf16_len
from notifybot.times.display import clock_time

MAX_LABEL = 40

ABOUT_ALERTS = (
    "An alert has an Acknowledge button. Whoever presses it answers for everybody; unanswered, it escalates. Snooze "
    "puts that off, and everybody sees until when."
)
HELP = Part(
    "notifybot tells you here what your servers have to say.\n\n"
    "/start subscribes you and shows the ids and the code by which you are reached\n"
    "/open lists the alerts of this chat that wait for an answer\n"
    "/oncall shows who is on call, and lets you take over\n"
    "/status shows how you are linked, and what you chose\n"
    "/settings changes it: time zone, daily summary, quiet hours, notices on or off\n"
    "/mute 1h keeps notices away for an hour; /mute off ends that\n"
    "/unlink takes your account from this chat\n"
    "/help shows this\n\n"
    f"{ABOUT_ALERTS}"
)
GROUP_HELP = Part(
    "notifybot tells you here what your servers have to say.\n\n"
    "/open lists the alerts of this group that wait for an answer\n"
    "/oncall shows who is on call, and lets those who take turns take over\n"
    "/start shows the id by which messages come here\n"
    "/help shows this\n\n"
    f"{ABOUT_ALERTS} What is about you alone, say in a private chat with me."
)
IN_PRIVATE = Part("That is about you alone: say it in a private chat with me.")
START_FIRST = Part("Send /start first: it subscribes you.")
NOT_LINKED = Part("This chat is not linked to any account. /start gives you a code to link it with.")
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


def let_in(chat: Chat, *, is_here: bool, may_write: bool) -> Part:
    """The bot came into a group or channel; `is_here`: this is said there, and not to whoever let it in."""
    chat_id = str(chat.id)
    kind = "channel" if chat.type == Chat.CHANNEL else "group"
    where = f"this {kind}" if is_here else f"the {kind} “{chat.title}”"
    if may_write:
        return _with_code(f"Messages can come to {where} now, with its id {chat_id} as channel_id.", chat_id)
    what = "make me an administrator who may post messages" if kind == "channel" else "let me send messages there"
    return _with_code(f"I am in {where} with the id {chat_id} now, but I may not write there: {what}.", chat_id)


def status(person: Person, chosen: str, waiting: int, *, most: int) -> Part:
    since = f" since {person.linked_at:%Y-%m-%d}" if person.linked_at else ""
    is_linked = f"Linked to the account {person.account}{since}"
    linked = is_linked if person.account else "Not linked to an account; /start gives you a code for that"
    count = f"{most} or more" if waiting >= most else str(waiting) if waiting else "none"
    return Part(f"{linked}.\n\n{chosen}\n\nAlerts that wait for an answer here: {count}; /open lists them.")


def unlinked(account: str) -> Part:
    return Part(f"This chat is not linked to the account {account} any more. You stay subscribed; /start begins anew.")


def open_alerts(found: Sequence[Message], *, most: int, now: datetime) -> Part:
    """A line for each alert that is not closed, at most `most`, and a button for those that nobody acknowledged; one
    more in `found` says that there are more."""
    if not found:
        return Part("Nothing waits for an answer here.")
    shown = list(enumerate(found[:most], 1))
    lines = [f"{n}. {_label(message)} ({_moments(message, now)})" for n, message in shown]
    if len(found) > most:
        lines.append("There are more; these are the newest.")
    unanswered = [(n, message) for n, message in shown if message.acknowledged_at is None]
    head = "Waiting for an answer:" if unanswered else "Acknowledged, and not closed yet:"
    buttons = tuple((open_alert_button(message.id, f"Acknowledge {n}"),) for n, message in unanswered)
    return Part("\n".join([head, *lines]), buttons=buttons)


def _moments(message: Message, now: datetime) -> str:
    """When it came, and who looks after it or lets it sleep."""
    came = clock_time(message.send_at or message.created_at, now)
    if message.acknowledged_by is not None:
        return f"{came}, acknowledged by {name_of(message.acknowledged_by)}"
    if message.snoozed_until is not None and message.snoozed_until > now:
        return f"{came}, snoozed until {clock_time(message.snoozed_until, now)}"
    return came


def _label(message: Message) -> str:
    text = " ".join((message.title or message.content).split())
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def _with_code(text: str, *spans: str) -> Part:
    """Mark these spans as code, so that a tap copies them."""
    entities = tuple(Entity("code", utf16_len(text[: text.index(f" {span}") + 1]), utf16_len(span)) for span in spans)
    return Part(text, entities)
