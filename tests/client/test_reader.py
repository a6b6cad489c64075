"""The reader: JSON into records by their annotations, and errors that name the field."""

from datetime import UTC, datetime

import pytest

from notifybot.client.errors import UnknownShape
from notifybot.client.reader import JsonObject, read, read_list
from notifybot.client.record import key, record, whole

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@record()
class Inner:
    name: str
    at: datetime


@record(kw_only=True)
class Outer:
    id: str
    is_open: bool = key("open", default=False)
    count: int = 0
    ratio: float = 0
    title: str | None
    at: datetime | None
    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    allowed: tuple[str, ...] | None = key("to")
    data: JsonObject | None
    inner: Inner | None
    inners: tuple[Inner, ...]
    document: JsonObject = whole()


@record(kw_only=True)
class Flat:
    now: Inner = whole()


def test_every_kind_of_field_is_read() -> None:
    inner = {"name": "a", "at": "2026-03-01T12:00:00Z"}
    document = {"id": "x", "open": True, "count": 3, "ratio": 0.5, "title": "T", "at": "2026-03-01T13:00:00+01:00"}
    document |= {"texts": ["a"], "numbers": [1, 2], "to": ["b"], "data": {"k": 1}, "inner": inner, "inners": [inner]}

    found = read(Outer, document)

    assert (found.id, found.is_open, found.count, found.ratio, found.title, found.at) == ("x", True, 3, 0.5, "T", NOON)
    assert (found.texts, found.numbers, found.allowed, found.data) == (("a",), (1, 2), ("b",), {"k": 1})
    assert (found.inner, found.inners) == (Inner("a", NOON), (Inner("a", NOON),))
    assert found.document is document


@pytest.mark.parametrize("value", [{}, {"open": None, "count": None, "texts": None, "to": None, "inner": None}])
def test_missing_and_null_fields_get_their_default_or_none_or_an_empty_tuple(value: dict[str, object]) -> None:
    found = read(Outer, {"id": "x", **value})

    assert (found.is_open, found.count, found.title, found.texts, found.allowed, found.inner) == (
        *(False, 0, None, ()),
        *(None, None),
    )


def test_a_number_becomes_text_as_ids_may_be_numbers() -> None:
    assert read(Outer, {"id": -100123}).id == "-100123"


def test_a_part_may_be_read_from_the_object_itself() -> None:
    assert read(Flat, {"name": "a", "at": "2026-03-01T12:00:00Z"}).now == Inner("a", NOON)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": None}, "`id` is missing"),
        ({"id": True}, "`id` is not text"),
        ({"id": []}, "`id` is not text"),
        ({"open": "yes"}, "`open` is neither true nor false"),
        ({"count": 1.5}, "`count` is not a whole number"),
        ({"count": True}, "`count` is not a whole number"),
        ({"ratio": "1"}, "`ratio` is not a number"),
        ({"at": "yesterday"}, "`at` is not a time"),
        ({"at": "2026-03-01T12:00:00"}, "`at` has no time zone"),
        ({"at": {}}, "`at` is not text"),
        ({"texts": {}}, "`texts` is not a list"),
        ({"texts": ["a", None]}, "`texts[1]` is not text"),
        ({"data": []}, "`data` is not an object"),
        ({"inner": 5}, "`inner` is not an object"),
        ({"inner": {"name": "a"}}, "`inner.at` is missing"),
        ({"inners": [{"name": "a", "at": "2026-03-01T12:00:00Z"}, {"name": "b", "at": "?"}]}, "`inners[1].at` is not"),
    ],
)
def test_a_wrong_field_is_named_with_its_path(change: dict[str, object], problem: str) -> None:
    with pytest.raises(UnknownShape) as caught:
        read(Outer, {"id": "x", **change})

    assert problem in caught.value.detail


def test_a_list_is_read_whole_or_by_its_name() -> None:
    inner = {"name": "a", "at": "2026-03-01T12:00:00Z"}

    assert read_list(Inner, [inner]) == read_list(Inner, {"inners": [inner]}, "inners") == (Inner("a", NOON),)
    assert read_list(datetime, {"times": ["2026-03-01T12:00:00Z"]}, "times") == (NOON,)
    assert read_list(Inner, {}, "inners") == ()


@pytest.mark.parametrize(
    ("document", "problem"), [({}, "the document is not a list"), ([5], "`\\[0\\]` is not an object")]
)
def test_a_wrong_list_is_named(document: object, problem: str) -> None:
    with pytest.raises(UnknownShape, match=problem):
        read_list(Inner, document)
