"""Names in Telegram that nobody can see, and what is shown instead."""

import pytest

from notifybot.model.actors import by_telegram, name_of
from notifybot.model.names import visible_name


@pytest.mark.parametrize(
    ("name", "username", "shown"),
    [
        ("Anna", None, "Anna"),
        ("Anna Berg", "anna_b", "Anna Berg (@anna_b)"),
        ("None", None, "None"),
        (None, "anna_b", "@anna_b"),
        (None, None, "42"),
        ("", None, "42"),
        ("\u3164", None, "42"),
        ("\u3164", "anna_b", "@anna_b"),
        ("\u3164 \u3164", "anna_b", "@anna_b"),
        ("\u3164 Berg", None, "Berg"),
        ("\u2800\u200b\u2062", None, "42"),
        ("\u115f\u1160\uffa0", None, "42"),
        ("\u202e\u034f", None, "42"),
        ("\ufe0f\u17b4", None, "42"),
        ("\U000e0100\U000e0020", None, "42"),
        ("❤\ufe0f", None, "❤\ufe0f"),
        ("👩\u200d🚒", None, "👩\u200d🚒"),
        ("한글", None, "한글"),
        ("-", None, "-"),
    ],
)
def test_a_person_is_shown_by_name_else_username_else_id(name: str | None, username: str | None, shown: str) -> None:
    assert name_of(by_telegram(42, name, username).facts) == shown


def test_incomplete_facts_never_show_none() -> None:
    for facts in ({}, {"name": None}, {"account": None}, {"name": None, "username": None, "telegram_id": None}):
        assert name_of(facts) == "somebody"


def test_without_any_visible_name_there_is_none() -> None:
    assert visible_name("\u3164", None, "") == ""
