"""Times in requests, as local times of the given zone, and texts with characters that cannot be stored."""

from datetime import UTC, datetime

import pytest

from notifybot.schemas.messages import EditFields, IngestFields, PhotoFields, SendFields
from notifybot.schemas.types import in_utc
from notifybot.web.bodies import check


@pytest.mark.parametrize(
    ("written", "zone", "meant"),
    [
        ("2026-07-01T09:00", None, "2026-07-01T09:00"),
        ("2026-07-01T09:00", "Europe/Berlin", "2026-07-01T07:00"),
        ("2026-01-01T09:00", "Europe/Berlin", "2026-01-01T08:00"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:00"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30"),
        ("2026-04-24T00:30", "Africa/Cairo", "2026-04-23T22:00"),
        ("2026-10-29T23:30", "Africa/Cairo", "2026-10-29T20:30"),
        ("2028-02-29T23:59:59.5", "Europe/Berlin", "2028-02-29T22:59:59.5"),
        ("0001-01-01T00:00", "Asia/Tokyo", "0001-01-01T00:00"),
        ("9999-12-31T23:59", "America/New_York", "9999-12-31T23:59"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_zone(written: str, zone: str | None, meant: str) -> None:
    assert in_utc(datetime.fromisoformat(written), zone) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


def test_a_time_with_an_offset_stays_what_it_is() -> None:
    written = datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert in_utc(written, "Europe/Berlin") == written
    assert in_utc(None, "Europe/Berlin") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ok\x00", "ok␀"),
        ("\x00", "␀"),
        ("\x00\x00a", "␀␀a"),
        ("a\ud800", "a\ufffd"),
        ("\udfff", "\ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\udcff in a file name", "\ufffd in a file name"),
        ("\U0001f525\x1b[0m\r\n", "\U0001f525\x1b[0m\r\n"),
    ],
    ids=ascii,
)
def test_invalid_characters_are_replaced_in_every_text_for_people(given: str, kept: str) -> None:
    fields = check(IngestFields, {"channel_id": -1001, "content": given, "title": given})
    assert (fields.content, fields.title) == (kept, kept)
    assert check(PhotoFields, {"user": "alice", "photo_path": "/x.png", "caption": given}).caption == kept
    assert check(SendFields, {"user": "alice", "text": given}).text == kept
    edit = check(EditFields, {"content": given, "title": given})
    assert (edit.content, edit.title) == (kept, kept)
