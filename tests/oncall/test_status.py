"""The end of a new override's duty: someone who is on call anyway stays on call after it."""

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlmodel import Session

from notifybot.oncall import changes, status
from notifybot.oncall.changes import Editor, NewOverride
from notifybot.recipients.directory import Directory, flattened
from notifybot.rotations.rotation import Hours, Rotation
from notifybot.storage.database import Database

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HANDOVER = NOW + 7 * DAY - 3 * HOUR
AT_WORK = (Hours(frozenset(range(5)), time(8), time(18)),)
PAIR = Rotation(("-1001", "-1002"), (NOW - 7 * DAY).date(), "0 9 * * mon", "UTC")  # -1002 this week, then -1001
ALONE = Rotation(("-1001",), NOW.date(), "0 9 * * mon", "UTC")
DAYTIME = Rotation(("-1001",), NOW.date(), "0 9 * * mon", "UTC", AT_WORK, ("-1002",))
ROOT = Editor("account:root", "root", frozenset(), is_admin=True)
Given = tuple[str, timedelta, timedelta]
"""Member, start and end of an override, from now."""


@pytest.mark.parametrize(
    ("rotation", "overrides", "until"),
    [
        pytest.param(PAIR, [("-1001", 0 * HOUR, 2 * HOUR)], NOW + 2 * HOUR, id="the other one"),
        pytest.param(PAIR, [("-1002", 0 * HOUR, 2 * HOUR)], HANDOVER, id="whoever is on call anyway"),
        pytest.param(PAIR, [("-1001", HANDOVER - NOW - HOUR, HANDOVER - NOW)], HANDOVER + 7 * DAY, id="the next one"),
        pytest.param(PAIR, [("-1002", 0 * HOUR, 8 * DAY)], NOW + 8 * DAY, id="past their handover"),
        pytest.param(
            PAIR, [("-1001", HOUR, 3 * HOUR), ("-1002", 0 * HOUR, 2 * HOUR)], NOW + 2 * HOUR, id="before an older one"
        ),
        pytest.param(
            PAIR, [("-1001", 2 * HOUR, 3 * HOUR), ("-1001", 0 * HOUR, 2 * HOUR)], NOW + 3 * HOUR, id="an older one next"
        ),
        pytest.param(ALONE, [("-1001", 0 * HOUR, HOUR)], None, id="always on call"),
        pytest.param(ALONE, [("-1002", DAY, DAY + HOUR)], NOW + DAY + HOUR, id="later"),
        pytest.param(DAYTIME, [("-1001", 0 * HOUR, HOUR)], NOW + 6 * HOUR, id="within hours"),
        pytest.param(DAYTIME, [("-1002", 5 * HOUR, 6 * HOUR)], NOW + 20 * HOUR, id="before their own hours"),
    ],
)
async def test_an_override_says_when_its_member_goes_off_call(
    database: Database, rotation: Rotation, overrides: list[Given], until: datetime | None
) -> None:
    directory = Directory(flattened({"duty": ("-1001", "-1002")}, {}), rotations={"duty": rotation})

    def end(session: Session) -> datetime | None:
        for minutes, (member, begins, ends) in enumerate(overrides, start=-len(overrides)):
            wanted = NewOverride("duty", member, NOW + begins, NOW + ends)
            made = changes.add_override(session, wanted, ROOT, directory, now=NOW + timedelta(minutes=minutes))
        return status.end_of_duty(session, directory, made, now=NOW)

    assert await database.write(end) == until
