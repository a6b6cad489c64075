"""Texts of the bot, ready to be shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from telegram import Chat

from notifybot.errors import did_you_mean
from notifybot.model.actors import name_of
from notifybot.model.messages import Message
from notifybot.model.names import visible_name
from notifybot.model.people import Person
from notifybot.rendering.buttons import open_alert_button
from notifybot.rendering.parts import Appearance, Entity, Part
from notifybot.rendering.plain import plain_text
from notifybot.rendering.split import utf16_len
from notifybot.times.display import clock_time, shorten

MAX_LABEL_LENGTH = 40

ABOUT_ALERTS = (
    "Alerts have an Acknowledge button. One press counts for everyone; an alert that nobody acknowledges escalates. "
    "Snooze postpones that, and everyone sees until when."
)
HELP = Part(
    "notifybot sends you messages from your servers.\n\n"
    "/start subscribes you, and shows your ids and a link code\n"
    "/open lists the open alerts of this chat\n"
    "/oncall shows who is on call, and lets you take over\n"
    "/status shows your linked account and your settings\n"
    "/settings changes your time zone, daily summary, quiet hours, and notices on or off\n"
    "/mute 1h mutes notices for an hour; /mute off unmutes them\n"
    "/unlink unlinks your account from this chat\n"
    "/help shows this\n\n"
    f"{ABOUT_ALERTS}"
)
GROUP_HELP = Part(
    "notifybot sends this group messages from your servers.\n\n"
    "/open lists the open alerts of this group\n"
    "/oncall shows who is on call, and lets members of a rotation take over\n"
    "/start shows the id of this chat\n"
    "/help shows this\n\n"
    f"{ABOUT_ALERTS} For your own settings, write to me in a private chat."
)
IN_PRIVATE = Part("This command works only in a private chat with me.")
START_FIRST = Part("Send /start first to subscribe.")
NOT_LINKED = Part("This chat is not linked to any account. /start gives you a code to link it.")
UNKNOWN_COMMAND = Part("Use /start to link your account.")
NOT_A_COMMAND = Part("I only understand commands; /help lists them.")
UNKNOWN_BUTTON = "This button no longer works."


def no_such_command(word: str, menu: Mapping[str, str]) -> Part:
    """Suggest the nearest command, and list those of the `menu` with what they do."""
    command = word.removeprefix("/").partition("@")[0].lower()
    near = did_you_mean(command, menu)
    said = (
        f"There is no command /{shorten(command, MAX_LABEL_LENGTH)}.{'' if near is None else f' Did you mean /{near}?'}"
    )
    return Part("\n".join([said, "", "You can use:", *(f"/{name}: {what}" for name, what in menu.items())]))


def welcome(person: Person, code: str, *, is_new: bool, is_void: bool) -> Part:
    """Answer to /start. `is_void`: it came from a deep link that is not valid."""
    void = ["This link is not valid: it was already used, or its 10 minutes are over.", ""]
    lines = [
        *(void if is_void else []),
        "You are subscribed." if is_new else "You are already subscribed.",
        *([] if person.account is None else [f"This chat is linked to the account {person.account}."]),
        "",
        f"user_id: {person.user_id}",
        f"chat_id: {person.chat_id}",
        f"code: {code}",
        "",
        "The code links this chat to your account. It works once, within 10 minutes: enter it in your dashboard, or "
        f"run notifybot verify {code} on the server. Without an account, give one of the ids to whoever sends you "
        "messages.",
        "",
        "/help shows what you can do here.",
    ]
    return _with_code("\n".join(lines), person.user_id, person.chat_id, code)


def group_id(chat_id: str) -> Part:
    return _with_code(f"This chat's id is {chat_id}. To send messages here, use it as channel_id.", chat_id)


def joined(chat: Chat, *, is_here: bool, may_write: bool) -> Part:
    """Notice that the bot joined a group or channel. `is_here`: shown there, not to the person who added it."""
    chat_id = str(chat.id)
    kind = "channel" if chat.type == Chat.CHANNEL else "group"
    where = f"this {kind}" if is_here else f"the {kind} “{visible_name(chat.title, chat.username, chat_id)}”"
    if may_write:
        text = f"I can post in {where} now. To send messages to it, use its id {chat_id} as channel_id."
        return _with_code(text, chat_id)
    right = "Make me an administrator with the right to post messages"
    need = right if kind == "channel" else "Allow me to send messages"
    return _with_code(f"I've joined {where} (id {chat_id}), but I don't have permission to post. {need}.", chat_id)


def status(person: Person, chosen: str, waiting: int, *, most: int) -> Part:
    since = f" since {person.linked_at:%Y-%m-%d}" if person.linked_at else ""
    is_linked = f"Linked to the account {person.account}{since}"
    linked = is_linked if person.account else "Not linked to an account; /start gives you a code"
    count = f"{most} or more" if waiting >= most else str(waiting) if waiting else "none"
    return Part(f"{linked}.\n\n{chosen}\n\nUnacknowledged alerts here: {count}; /open lists them.")


def unlinked(account: str) -> Part:
    return Part(
        f"This chat is no longer linked to the account {account}. You stay subscribed; /start gives you a new code."
    )


def open_alerts(found: Sequence[Message], *, most: int, now: datetime) -> Part:
    """List alerts, at most `most`, with a button for each unacknowledged one.

    `found` holds one more than `most` if there are more.
    """
    if not found:
        return Part("No open alerts here.")
    shown = list(enumerate(found[:most], 1))
    lines = [f"{n}. {_label(message)} ({_state(message, now)})" for n, message in shown]
    if len(found) > most:
        lines.append("These are the newest; there are more.")
    unacknowledged = [(n, message) for n, message in shown if message.acknowledged_at is None]
    head = "Open alerts:" if unacknowledged else "Acknowledged, not closed yet:"
    buttons = tuple((open_alert_button(message.id, f"Acknowledge {n}"),) for n, message in unacknowledged)
    return Part("\n".join([head, *lines]), buttons=buttons)


def _state(message: Message, now: datetime) -> str:
    """Say when the alert came, and who acknowledged it or until when it is snoozed."""
    came = clock_time(message.send_at or message.created_at, now)
    if message.acknowledged_by is not None:
        return f"{came}, acknowledged by {name_of(message.acknowledged_by)}"
    if message.snoozed_until is not None and message.snoozed_until > now:
        return f"{came}, snoozed until {clock_time(message.snoozed_until, now)}"
    return came


def _label(message: Message) -> str:
    text = plain_text(
        message.title or message.content, None if message.title else Appearance.of(message.look).parse_mode
    )
    return shorten(" ".join(text.split()), MAX_LABEL_LENGTH)


def _with_code(text: str, *spans: str) -> Part:
    """Mark these spans as code, so a tap copies them."""
    entities = tuple(Entity("code", utf16_len(text[: text.index(f" {span}") + 1]), utf16_len(span)) for span in spans)
    return Part(text, entities)
