"""Texts of the bot."""

import pytest

from notifybot.handlers import command_menu, texts


@pytest.mark.parametrize(
    ("word", "first_line"),
    [
        ("/nonsense", "There is no command /nonsense."),
        ("/opne", "There is no command /opne. Did you mean /open?"),
        ("/Setings", "There is no command /setings. Did you mean /settings?"),
        ("/on_call", "There is no command /on_call. Did you mean /oncall?"),
        ("/mutes@notifybot_bot", "There is no command /mutes. Did you mean /mute?"),
        ("/un-link", "There is no command /un-link. Did you mean /unlink?"),
        ("/subscribe", "There is no command /subscribe."),
        ("/scripts", "There is no command /scripts."),
        ("/1", "There is no command /1."),
        (f"/{'x' * 4000}", f"There is no command /{'x' * 39}…."),
    ],
)
def test_an_unknown_command_is_answered_with_what_there_is(word: str, first_line: str) -> None:
    first, _, *rest = texts.no_such_command(word, command_menu.PRIVATE).text.splitlines()
    assert first == first_line
    assert rest[0] == "You can use:"
    assert [line.split(":")[0] for line in rest[1:]] == [f"/{name}" for name in command_menu.PRIVATE]
