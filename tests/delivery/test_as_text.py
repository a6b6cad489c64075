"""What a post has in its text next after Telegram refused its formatting or buttons."""

import pytest

from notifybot.delivery.as_text import detail, next_step
from notifybot.model.enums import AsText
from notifybot.posts.outcomes import Reformat

FORMATTING, CALLERS, ALL = AsText.FORMATTING, AsText.CALLERS_BUTTONS, AsText.ALL_BUTTONS
ENTITIES, BUTTONS = Reformat("ENTITIES_TOO_LONG"), Reformat("BUTTON_URL_INVALID", of_buttons=True)


@pytest.mark.parametrize(
    ("as_text", "refused", "step"),
    [
        (AsText.NOTHING, ENTITIES, FORMATTING),
        (AsText.NOTHING, BUTTONS, CALLERS),
        (FORMATTING, BUTTONS, CALLERS),
        (CALLERS, BUTTONS, ALL),
        (CALLERS, ENTITIES, FORMATTING),
        (FORMATTING, ENTITIES, CALLERS),
        (CALLERS | ALL, BUTTONS, FORMATTING),
        (FORMATTING | CALLERS, ENTITIES, ALL),
        (FORMATTING | CALLERS | ALL, ENTITIES, None),
        (FORMATTING | CALLERS | ALL, BUTTONS, None),
    ],
)
def test_what_is_refused_is_written_first_and_then_the_rest(
    as_text: AsText, refused: Reformat, step: AsText | None
) -> None:
    assert next_step(as_text, refused) == step


def test_the_timeline_names_the_chat_and_the_reason() -> None:
    sentence = detail(CALLERS, "-100", "BUTTON_URL_INVALID")
    assert sentence == "Telegram rejected the buttons, so -100 gets their links in the text: BUTTON_URL_INVALID"
