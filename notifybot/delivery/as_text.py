"""Decide what a post has in its text after Telegram refused its formatting or buttons."""

from notifybot.model.enums import AsText
from notifybot.posts.outcomes import Reformat

_BUTTONS = (AsText.CALLERS_BUTTONS, AsText.ALL_BUTTONS)
_DETAILS = {
    AsText.FORMATTING: "Telegram rejected the formatting, so {chat} gets plain text",
    AsText.CALLERS_BUTTONS: "Telegram rejected the buttons, so {chat} gets their links in the text",
    AsText.ALL_BUTTONS: "Telegram rejected the buttons, so {chat} gets none",
}


def next_step(as_text: AsText, refused: Reformat) -> AsText | None:
    """Return what to write in the text next: what was refused, else the rest, as Telegram may blame the wrong thing.

    None if nothing is left.
    """
    order = (*_BUTTONS, AsText.FORMATTING) if refused.of_buttons else (AsText.FORMATTING, *_BUTTONS)
    return next((step for step in order if step not in as_text), None)


def detail(step: AsText, chat_id: str, reason: str) -> str:
    """Return the detail of the timeline's line."""
    return f"{_DETAILS[step].format(chat=chat_id)}: {reason}"
