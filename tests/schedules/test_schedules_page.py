"""docs/schedules.md: its examples give the times that it shows."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from notifybot.times import recurrence

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = re.findall(r"^\| on (\d+ \w+ 2026)\b.*\| (\d\d:\d\d),.* which is (\d\d:\d\d) UTC \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("day", "there", "utc"), CHANGES)
def test_daily_times_match_the_page(day: str, there: str, utc: str) -> None:
    midnight = datetime.strptime(day, "%d %B %Y").replace(tzinfo=BERLIN).astimezone(UTC)
    repeat = recurrence.parse("30 2 * * *")
    at = recurrence.next_after(repeat, "Europe/Berlin", midnight, midnight - timedelta(minutes=1))
    assert at is not None
    assert (f"{at.astimezone(BERLIN):%H:%M}", f"{at:%H:%M}") == (there, utc)


def test_the_page_has_both_changes() -> None:
    assert len(CHANGES) == 5


def test_the_preview_is_as_shown() -> None:
    (asked,) = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'\n", PAGE, re.DOTALL) if "begins_at" in body]
    (shown,) = [
        json.loads(text) for text in re.findall(r"^\{.*\}$", PAGE, re.MULTILINE) if text.startswith('{"repeat"')
    ]
    begins_at = datetime.fromisoformat(asked["begins_at"]).replace(tzinfo=BERLIN).astimezone(UTC)
    repeat = recurrence.parse(asked["repeat"])
    times = recurrence.upcoming(repeat, asked["time_zone"], begins_at, now=begins_at - timedelta(days=30))
    assert [f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in times] == shown["next_times"]


@pytest.mark.parametrize("rule", re.findall(r"^\| (`.+?`) \| (?:minute|on|at|so)\b", PAGE, re.MULTILINE))
def test_every_rule_on_the_page_parses(rule: str) -> None:
    for each in re.findall(r"`(.+?)`", rule):
        recurrence.parse(each)
