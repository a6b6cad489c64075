"""A post that nothing has parsed: the beginning as it came, the whole text in a file, all within Telegram's limits."""

from dataclasses import replace

import pytest

from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import FileId, Media, Written
from notifybot.rendering.render import render
from notifybot.rendering.split import MAX_TEXT_UNITS, utf16_len
from notifybot.rendering.unparsed import UNITS, unparsed
from notifybot.rendering.views import PostView
from tests.rendering.test_render import ALERT

REASON = "notifybot died three times while preparing this message."
PHOTO = Media(MediaKind.PHOTO, "disk.png", FileId("x"), 1)


def post(content: str) -> PostView:
    message = replace(ALERT, content=content, title="T" * 256, look=replace(ALERT.look, parse_mode="HTML"))
    return PostView("p", "1", 1, False, None, (), None, message)


@pytest.mark.parametrize(
    "content",
    [
        "*a* " * 240_000,
        "<b>" * 10_000,
        "😀" * 10_000,
        "line\n" * 10_000,
        "x" * UNITS + "y",
        "\ud800" * 10_000,
        "\x1b[31m" * 10_000,
        " \n" * 10_000 + "end",
    ],
    ids=["megabyte", "tags", "astral", "lines", "one more", "surrogates", "escapes", "blank"],
)
def test_one_text_within_the_limit_and_all_of_it_in_a_file(content: str) -> None:
    text, file = render(unparsed(post(content), REASON), max_parts=3)
    assert utf16_len(text.text) <= MAX_TEXT_UNITS
    assert REASON in text.text
    assert text.buttons
    source = file.media[0].source
    assert isinstance(source, Written)
    assert source.content == content.encode(errors="replace")


def test_markup_is_shown_as_it_came_with_the_files_of_the_message() -> None:
    view = post("<b>disk</b> full")
    assert view.message is not None
    parts = render(unparsed(replace(view, message=replace(view.message, media=(PHOTO,))), REASON), max_parts=3)
    assert any("<b>disk</b> full" in part.text for part in parts)
    assert [file.name for part in parts for file in part.media] == ["disk.png", "message.txt"]


def test_an_answer_of_the_bot_stays_as_it_is() -> None:
    view = replace(post(""), message=None)
    assert unparsed(view, REASON) == view
