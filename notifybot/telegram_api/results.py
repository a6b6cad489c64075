"""Read the results of calls that Telegram accepted. One of another shape than documented is an error of its own."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import telegram

from notifybot.posts.outcomes import Outcome, Shown, TryAgain
from notifybot.rendering.parts import Delete, Edit, Send
from notifybot.telegram_api.http import Unreadable, WrongShape

UNREADABLE = TryAgain("an unreadable response", uncertain=True)
MAX_UPDATE_ID = 2**63 - 1
KEPT_CHARACTERS = 64 * 1024
"""Of an update that cannot be read."""
# Telegram writes the id first, so it is known even if the rest is endless.
_FIRST_ID = re.compile(rb'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*\{\s*"update_id"\s*:\s*(\d{1,19})\b')
log = logging.getLogger(__name__)

JsonObject = dict[str, Any]


class UnreadableUpdate(telegram.Update):
    """An update that cannot be read: it is stored, parked and confirmed, but never handled."""

    __slots__ = ("payload", "problem")

    def __init__(self, update_id: int, payload: str, problem: str) -> None:
        super().__init__(update_id)
        with self._unfrozen():
            self.payload = payload
            self.problem = problem


def check_shape(method: str, result: object) -> None:
    """Raise WrongShape if the rest of the program cannot work with the result of this method."""
    fits = _SHAPES.get(method)
    if fits is not None and not fits(result):
        raise WrongShape(f"the result of {method} has an unexpected shape")


def updates_of(result: Sequence[Any], bot: telegram.Bot) -> tuple[telegram.Update, ...]:
    """Read the result of getUpdates one by one, in the order of their ids. Raise WrongShape if none has an id."""
    found = [read_update(each, bot) for each in result if _has_id(each)]
    if result and not found:
        raise WrongShape("the updates have no ids")
    if (skipped := len(result) - len(found)) > 0:
        log.warning("updates without an id were skipped", extra={"action": "update_unreadable", "updates": skipped})
    return tuple(sorted(found, key=lambda update: update.update_id))


def read_update(raw: JsonObject, bot: telegram.Bot) -> telegram.Update:
    """Read one update. If only the message of a press is unreadable, keep of it what Telegram sends of old messages."""
    problem = "it has an unexpected shape"
    for version in (raw, _without_message(raw)):
        try:
            if version is not None and _can_be_handled(version):
                return telegram.Update.de_json(version, bot)
        except Exception as error:  # noqa: BLE001  the library raises whatever the bytes bring about
            problem = _problem(error)
    return UnreadableUpdate(raw["update_id"], json.dumps(raw)[:KEPT_CHARACTERS], problem)


def read_stored(update_id: int, payload: str, bot: telegram.Bot) -> telegram.Update:
    """Read an update from the database."""
    try:
        raw = json.loads(payload)
    except (ValueError, RecursionError) as error:
        return UnreadableUpdate(update_id, payload, _problem(error))
    is_same = _has_id(raw) and raw["update_id"] == update_id
    return read_update(raw, bot) if is_same else UnreadableUpdate(update_id, payload, "it has another id")


def first_update(error: Unreadable) -> UnreadableUpdate:
    """Return the update whose getUpdates, for this one alone, could not be read. Raise `error` if it names no id."""
    found = _FIRST_ID.match(error.head)
    if found is None or not 0 < int(found[1]) <= MAX_UPDATE_ID:
        raise error
    payload = json.dumps(error.head.decode("utf-8", "replace"))
    return UnreadableUpdate(int(found[1]), payload[:KEPT_CHARACTERS], error.message)


def shown(call: Send | Edit | Delete, result: object) -> Outcome:
    """Return the outcome of an accepted call: the messages as the chat shows them now, or an uncertain one."""
    if isinstance(call, Delete):
        return Shown(call.chat_id, ()) if result is True else UNREADABLE
    messages: list[Any] = result if isinstance(result, list) else [result]
    expected = max(1, len(call.part.media)) if isinstance(call, Send) else 1
    if len(messages) != expected or not all(_is_message(each, call.chat_id) for each in messages):
        return UNREADABLE
    ids = tuple(each["message_id"] for each in messages)
    if isinstance(call, Edit) and ids != (call.message_id,):
        return UNREADABLE
    chat = messages[0]["chat"]
    return Shown(str(chat["id"]), ids, chat["type"], _file_ids(messages))


def _is_message(result: object, chat_id: str) -> bool:
    match result:
        case {"message_id": found, "chat": {"id": chat, "type": str()}}:
            is_there = str(chat) == chat_id or not chat_id.lstrip("-").isdecimal()
            return _is_id(found) and type(chat) is int and chat != 0 and is_there
    return False


def _file_ids(messages: list[JsonObject]) -> tuple[str, ...]:
    """Return the file ids of these messages in order, or nothing if one is missing. A photo's largest size is last."""
    found: list[str] = []
    for message in messages:
        match message:
            case {"photo": [*_, {"file_id": str(file_id)}]} | {"document": {"file_id": str(file_id)}}:
                found.append(file_id)
    return tuple(found) if len(found) == len(messages) else ()


def _has_id(raw: object) -> bool:
    return isinstance(raw, dict) and _is_id(raw.get("update_id"))


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_UPDATE_ID


def _without_message(raw: JsonObject) -> JsonObject | None:
    match raw:
        case {"callback_query": {"message": {"chat": chat, "message_id": message_id}} as press}:
            return {**raw, "callback_query": {**press, "message": {"chat": chat, "message_id": message_id, "date": 0}}}
    return None


def _can_be_handled(raw: JsonObject) -> bool:
    """Check the fields that the handlers read; the library takes any value for them. Other kinds are ignored."""
    match raw:
        case {"message": message}:
            return _is_from_chat(message) and isinstance(message.get("text", ""), str)
        case {"callback_query": {"id": str(), "from": user, **rest}}:
            is_whole = isinstance(rest.get("data", ""), str) and _is_from_user(user)
            return is_whole and ("message" not in rest or _is_from_chat(rest["message"]))
        case {"my_chat_member": {"from": user, "new_chat_member": {"status": str()}} as change}:
            return _is_from_user(user) and _is_from_chat({"message_id": 0, **change})
    return "callback_query" not in raw and "my_chat_member" not in raw


def _is_from_chat(message: object) -> bool:
    match message:
        case {"chat": {"id": int(), "type": str()}, "message_id": int(), "date": int(), **rest}:
            return "from" not in rest or _is_from_user(rest["from"])
    return False


def _is_from_user(user: object) -> bool:
    match user:
        case {"id": int(), "first_name": str()}:
            return True
    return False


def _problem(error: Exception) -> str:
    """Name the error without quoting people: its message may contain their texts."""
    return f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else type(error).__name__


def _is_user(result: object) -> bool:
    match result:
        case {"id": int(), "is_bot": bool(), "first_name": str(), "username": str()}:
            return True
    return False


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    "getMe": _is_user,
    "getUpdates": lambda result: isinstance(result, list),
    "getWebhookInfo": lambda result: isinstance(result, dict) and isinstance(result.get("url"), str),
}
