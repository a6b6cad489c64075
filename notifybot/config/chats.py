"""How a chat is written: its id or @name, a topic behind it. Other spellings are refused with the right one."""

import re
import unicodedata
from decimal import Decimal

CHAT_FORM = re.compile(r"@.*|-?[0-9]+(:.*)?")
"""Decides whether a text names a chat; see recipients/address.py."""
LARGEST_ID = 2**53
"""Telegram's chat ids are smaller."""
MAX_LOST_DIGITS = 4
"""More zeros than this at the end of an id that was a fraction are digits that some program has rounded away."""
GENERAL = "a chat is a numeric id like -1001234567890, or the @name of a public channel or group"
_NAME = r"[A-Za-z][A-Za-z0-9_]{3,31}"
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"))
_NUMBER = re.compile(
    r"([+-]?)([0-9]{1,3}(?:[_',.][0-9]{3}){2,}|[0-9]+)(\.[0-9]*)?(?:[eE]([+-]?[0-9]{1,2}))?(?:[:/_#]([0-9]{1,10}))?"
)
_SITE = r"(?:https?://)?(?:www\.)?(?:t\.me|telegram\.me|telegram\.dog)/"
_PRIVATE = re.compile(rf"{_SITE}c/([0-9]{{1,13}})(?:/([0-9]{{1,10}}))?(?:/([0-9]{{1,10}}))?/?(?:\?.*)?")
_PUBLIC = re.compile(
    rf"(?:{_SITE}(?:s/)?|tg://resolve\?domain=)@?({_NAME})(?:/([0-9]{{1,10}}))?(?:/[0-9]+)?/?(?:[?&].*)?"
)
_WEB = re.compile(r"(?:https?://)?web\.telegram\.org/\w*/?#(.+)")
_LINK = re.compile(rf"{_SITE}.*|tg://.*")


def parse_chat(text: str) -> str:
    """Return a chat in its one spelling. Raises ValueError, which says what to write."""
    chat, is_topic, topic = text.partition(":")
    digits = re.fullmatch(r"(-?)0*([1-9][0-9]{0,18})", chat)
    is_chat = digits is not None or re.fullmatch(f"@{_NAME}", chat) is not None
    if is_chat and is_topic and not re.fullmatch(r"[1-9][0-9]{0,9}", topic):
        raise ValueError("a topic is written behind its chat, like -1001234567890:42")
    if digits is not None and int(digits[2]) < 2**63:
        return digits[1] + digits[2] + is_topic + topic
    if is_chat and digits is None:
        return chat.lower() + is_topic + topic  # Telegram ignores case here
    raise ValueError(meant_chat(text) or GENERAL)


def meant_chat(text: str) -> str | None:
    """Return what to write instead of a text that means a chat, but is not written like one."""
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES)
    plain = "".join(each for each in plain if each.isprintable() and not each.isspace())
    if web := _WEB.fullmatch(plain):
        return meant_chat(web[1]) or f"write this chat as {web[1]}"
    if _LINK.fullmatch(plain):
        return _meant_by_link(plain)
    if plain != text and re.fullmatch(f"@{_NAME}", plain):
        return f"write this chat as {plain}"
    number = _NUMBER.fullmatch(plain)
    return None if number is None or CHAT_FORM.fullmatch(text) else _meant_by_number(number)


def _meant_by_link(link: str) -> str:
    if private := _PRIVATE.fullmatch(link):
        return _with_topic(f"-100{private[1]}", private[2], is_certain=private[3] is not None)
    if (public := _PUBLIC.fullmatch(link)) and public[1].lower() != "joinchat":
        return _with_topic(f"@{public[1]}", public[2], is_certain=False)
    return "a link like this names no chat: add the bot to the chat, and it says the id to write"


def _with_topic(chat: str, topic: str | None, *, is_certain: bool) -> str:
    """Advise on a link, whose number is that of a topic, or only of a post."""
    if topic is None:
        return f"a chat is not written as a link: write {chat}"
    if is_certain:
        return f"a chat is not written as a link: write {chat}:{topic}"
    return f"a chat is not written as a link: write {chat}, or {chat}:{topic} if {topic} is a topic"


def _meant_by_number(found: re.Match[str]) -> str:
    sign, digits, fraction, exponent, topic = found.groups()
    if sign == "+":
        return "a phone number names no chat: write the account or user_id of somebody who pressed /start"
    value = Decimal(sign + re.sub("[_',.]", "", digits) + (fraction or "").removesuffix(".")).scaleb(int(exponent or 0))
    if value != value.to_integral_value() or not 0 < abs(value) < LARGEST_ID:
        return GENERAL
    zeros = len(str(int(value))) - len(str(int(value)).rstrip("0"))
    if (exponent or fraction) and zeros > MAX_LOST_DIGITS:
        return "this id has lost digits: write all of them, in quotes, like -1001234567890"
    return f"write this chat as {int(value)}" + (f":{topic}" if topic else "")
