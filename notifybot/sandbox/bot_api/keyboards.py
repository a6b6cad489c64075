"""Check reply markup by Telegram's rules for buttons; names and types are already checked."""

from notifybot.sandbox.bot_api.wire import Params, bad_request, not_in_the_sandbox
from notifybot.sandbox.formatting.markup import checked_link
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import Chat, ChatType

MAX_BUTTONS = 100
MAX_BUTTONS_IN_A_ROW = 8
MAX_CALLBACK_BYTES = 64
MAX_COPY_CHARACTERS = 256
STYLES = ("danger", "success", "primary")
_LOOKS = frozenset({"text", "style", "icon_custom_emoji_id"})
_NONE_IF_EMPTY = frozenset({"url", "callback_data"})
_MISSING_FROM_SANDBOX = frozenset({"web_app", "login_url", "callback_game", "pay"})


def read_markup(params: Params, chat: Chat, *, is_edit: bool = False) -> JsonObject | None:
    """Return the reply markup of a call, None if absent or empty."""
    markup = params.mapping("reply_markup")
    if markup is None:
        return None
    if "inline_keyboard" in markup:
        return _inline_keyboard(markup["inline_keyboard"])
    if is_edit or chat.type is ChatType.CHANNEL:
        raise bad_request("inline keyboard expected")
    return _reply_keyboard(markup) if "keyboard" in markup else markup


def _inline_keyboard(rows: object) -> JsonObject | None:
    assert isinstance(rows, list)
    kept = [[_inline_button(button) for button in row] for row in rows if row]
    _check_size(kept)
    return {"inline_keyboard": kept} if kept else None


def _check_size(rows: list[list[JsonObject]]) -> None:
    if sum(map(len, rows)) > MAX_BUTTONS or any(len(row) > MAX_BUTTONS_IN_A_ROW for row in rows):
        raise bad_request("reply markup is too long")


def _inline_button(button: JsonObject) -> JsonObject:
    """Check a button and return it as Telegram stores it."""
    if not str(button["text"]).strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if button.get("style", "primary") not in STYLES:
        raise bad_request("can't parse inline keyboard button: invalid button style specified")
    actions = [name for name in button if name not in _LOOKS and not (name in _NONE_IF_EMPTY and button[name] == "")]
    if not actions:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request(f"can't parse inline keyboard button: exactly one of {', '.join(actions)} must be used")
    looks: JsonObject = {name: value for name, value in button.items() if name in _LOOKS}
    return looks | _action(actions[0], button[actions[0]])


def _action(name: str, value: object) -> JsonObject:
    match name:
        case "callback_data":
            if len(str(value).encode()) > MAX_CALLBACK_BYTES:
                raise bad_request("BUTTON_DATA_INVALID")
        case "url":
            return {"url": _button_url(str(value))}
        case "copy_text":
            assert isinstance(value, dict)
            if not 1 <= len(value["text"]) <= MAX_COPY_CHARACTERS:
                raise bad_request("BUTTON_COPY_TEXT_INVALID")
        case name if name in _MISSING_FROM_SANDBOX:
            raise not_in_the_sandbox(f"{name} buttons")
    return {name: value}


def _button_url(url: str) -> str:
    """Return a button's URL as Telegram stores it."""
    checked = checked_link(url)
    if checked is None:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    return checked


def _reply_keyboard(markup: JsonObject) -> JsonObject | None:
    rows = markup["keyboard"]
    assert isinstance(rows, list)
    kept = [row for row in rows if row]
    if any(not str(button["text"] if isinstance(button, dict) else button).strip() for row in kept for button in row):
        raise bad_request("keyboard button text must be non-empty")
    return markup | {"keyboard": kept} if kept else None
