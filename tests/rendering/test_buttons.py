"""Buttons and their callback data: encoding and decoding."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.model.ids import new_id
from notifybot.rendering.buttons import (
    AcknowledgeMessagePress,
    AcknowledgePress,
    ClosePress,
    OnCallPress,
    SettingPress,
    Snooze,
    SnoozePress,
    UnacknowledgePress,
    acknowledge_button,
    close_button,
    on_call_button,
    open_alert_button,
    read_callback_data,
    rotation_key,
    setting_button,
    snooze_button,
    unacknowledge_button,
)
from notifybot.times.spans import LONGEST, SHORTEST, Tomorrow

NOW = datetime(2026, 3, 1, 14, 2, 30, tzinfo=UTC)
snoozes = st.timedeltas(SHORTEST, LONGEST).map(lambda span: timedelta(seconds=int(span.total_seconds()))) | st.builds(
    Tomorrow, st.builds(time, st.integers(0, 23), st.integers(0, 59))
)


@given(st.integers(0, 10**6), st.integers(1, 999_999_999), snoozes)
def test_callback_data_of_every_button_is_parsed_back(hours: int, version: int, snooze: Snooze) -> None:
    made = new_id(NOW + timedelta(hours=hours))
    for button, meant in (
        (acknowledge_button(made, version), AcknowledgePress(made, version)),
        (close_button(made, version), ClosePress(made, version)),
        (unacknowledge_button(made, version), UnacknowledgePress(made, version)),
        (snooze_button(made, version, snooze), SnoozePress(made, version, snooze)),
        (open_alert_button(made, "label"), AcknowledgeMessagePress(made)),
        (setting_button(made, "label", "zone"), SettingPress(made, "zone", "")),
        (on_call_button(made, "label", "home"), OnCallPress(made, "home", "")),
        (on_call_button(made, "label", "999999999", "duty"), OnCallPress(made, "999999999", rotation_key("duty"))),
        (setting_button(made, "label", "quiet", "22:00-07:00"), SettingPress(made, "quiet", "22:00-07:00")),
    ):
        assert button.callback_data is not None
        assert 1 <= len(button.callback_data.encode()) <= 64
        assert read_callback_data(button.callback_data) == meant


def test_every_time_zone_has_room_on_a_button() -> None:
    made = new_id(NOW)
    for zone in available_timezones():
        data = setting_button(made, zone, "z", zone).callback_data
        assert data is not None
        assert len(data.encode()) <= 64
        assert read_callback_data(data) == SettingPress(made, "z", zone)


@pytest.mark.parametrize(
    ("snooze", "label"),
    [
        (timedelta(hours=1), "Snooze 1 h"),
        (timedelta(minutes=15), "Snooze 15 min"),
        (timedelta(hours=1, minutes=30), "Snooze 1 h 30 m"),
        (timedelta(days=1), "Snooze 1 d"),
        (Tomorrow(time(9)), "Until tomorrow 09:00"),
    ],
)
def test_a_snooze_button_says_for_how_long(snooze: Snooze, label: str) -> None:
    assert snooze_button(new_id(NOW), 1, snooze).text == label


GOOD = "01890a5dac96774bbcceb302099a8057"
TINY = "AYkKXayWd0u8zrMCCZqAVw"


def test_a_tiny_id_is_parsed_back_exactly() -> None:
    assert setting_button("01890a5d-ac96-774b-bcce-b302099a8057", "x", "zone").callback_data == f"set:{TINY}:zone"


@pytest.mark.parametrize(
    "data",
    [
        "", ":", "::", "x", "ack", "one", "ack:", "one:", "ack::1", "ack:x:1", f"ack:{GOOD}", f"ack:{GOOD}:",
        f"ack:{GOOD}:-1", f"ack:{GOOD}:1.0", f"ack:{GOOD}:1:1", f"ack:{GOOD}:٣", f"ack:{GOOD}:1e3", f"ack:{GOOD} :1",
        f"ack:{GOOD}:{'9' * 10}", f"ack:{'ā' * 32}:1", f"one:{GOOD}:1", f"one:{GOOD}0", f"one:{GOOD[:-1]}",
        f"ONE:{GOOD}", f"two:{GOOD}", f"one:{'x' * 32}", f"one:{GOOD[:-1]}\x00", f"one:{GOOD.upper()}",
        f"one:{'-' * 32}", f"one:{GOOD.replace('774b', '474b')}", "\ud800",
        "sno", f"sno:{GOOD}:1", f"sno:{GOOD}:1:", f"sno:{GOOD}:1:0", f"sno:{GOOD}:1:-3600", f"sno:{GOOD}:1:31622401",
        f"sno:{GOOD}:1:1e3", f"sno:{GOOD}:1:999999999999", f"sno:{GOOD}:1:t2400", f"sno:{GOOD}:1:t0960",
        f"sno:{GOOD}:1:t900", f"sno:{GOOD}:x:3600", f"sno:{GOOD}:1:3600:1", f"sno:{GOOD}:1:٣",
        "set", "set:", f"set:{TINY}", f"set:{TINY}:", f"set:{TINY}:ZONE", f"set:{TINY}:zone:{'x' * 40}",
        f"set:{TINY[:-1]}:zone", f"set:{TINY[:-1]}x:zone", f"set:{GOOD}:zone", f"set:{TINY}:zone:ä",
        f"set:{TINY}=:zone", f"set:{'A' * 22}:zone",
        "onc", f"onc:{TINY}", f"onc:{TINY}:home", f"onc:{TINY}:home:x", f"onc:{TINY}:0:", f"onc:{TINY}:{'9' * 10}:",
        f"onc:{TINY}:1:{'A' * 8}", f"onc:{GOOD}:home:", f"onc:{TINY}:home::",
    ],
)  # fmt: skip
def test_foreign_callback_data_means_nothing(data: str) -> None:
    assert read_callback_data(data) is None


@given(st.text(max_size=64))
def test_any_data_at_all_can_be_read(data: str) -> None:
    assert read_callback_data(data) is None
