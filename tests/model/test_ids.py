"""Ids: UUIDv7 in one spelling, sorted by time."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.model.ids import full, is_id, new_id, short

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=84_000)).map(EPOCH.__add__)


@given(MOMENTS)
def test_an_id_is_a_uuid_of_version_7_and_holds_its_millisecond(moment: datetime) -> None:
    made = uuid.UUID(new_id(moment))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == (moment - EPOCH) // timedelta(milliseconds=1)


@given(MOMENTS, st.integers(1, 10**7))
def test_ids_sort_by_time_to_the_microsecond(moment: datetime, microseconds: int) -> None:
    assert new_id(moment) < new_id(moment + timedelta(microseconds=microseconds))


def test_ids_of_one_moment_differ() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert len({new_id(now) for _ in range(10_000)}) == 10_000


@given(MOMENTS)
def test_a_short_id_converts_back(moment: datetime) -> None:
    made = new_id(moment)
    assert is_id(made)
    assert len(short(made)) == 32
    assert full(short(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "01890a5d-ac96-774b-bcce-b302099a805",
        "01890a5d-ac96-774b-bcce-b302099a80577",
        "01890a5d-ac96-774b-bcce-b302099a8057\n",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5d-ac96-474b-bcce-b302099a8057",
        "01890a5d-ac96-774b-ccce-b302099a8057",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "0１890a5d-ac96-774b-bcce-b302099a8057",
    ],
)
def test_other_texts_are_not_ids(text: str) -> None:
    assert not is_id(text)
