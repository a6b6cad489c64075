"""The bound on the values of a JSON document: it is kept before any of them is built."""

import tracemalloc

import pytest

from notifybot.errors import NotifybotError
from notifybot.web.json import MAX_VALUES, parse

LONG = 500_000
TOO_MANY = [
    "[" + "[]," * LONG + "[]]",
    "[" + "1," * LONG + "1]",
    "[" + "{}," * LONG + "{}]",
    '{"a":[' + '"",' * LONG + '""]}',
    "[" * LONG,
    '{"data":' * LONG,
    "[" + '"\\"",' * MAX_VALUES + "1]",
    '{"a": "' + "x" * LONG + '", "b": [' + "null," * MAX_VALUES + "null]}",
    "{" + ",".join(f'"{number}":0' for number in range(MAX_VALUES + 1)) + "}",
]
FINE = [
    '{"content": "' + "[,{" * LONG + '"}',
    '{"content": "' + '\\",' * LONG + '"}',
    '{"content": "' + "\\\\" * LONG + '", "x": [1, 2]}',
    "[" + "1," * (MAX_VALUES - 2) + "1]",
    '{"content": "' + "й" * LONG + '"}',
]


@pytest.mark.parametrize("text", TOO_MANY, ids=range(len(TOO_MANY)))
def test_too_many_values_are_refused_unbuilt(text: str) -> None:
    tracemalloc.start()
    with pytest.raises(NotifybotError, match=r"more than 20,000 values|nested"):
        parse(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(text) + 1_000_000


@pytest.mark.parametrize("text", FINE, ids=range(len(FINE)))
def test_long_texts_are_no_values(text: str) -> None:
    assert parse(text)
