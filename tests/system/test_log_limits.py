"""A flood of log lines leaves room for the others, and says how many it lacks."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifybot.system import log_limits, logs
from notifybot.system.log_limits import BURST, MAX_KINDS, LineLimit
from notifybot.system.logs import MAX_CHARACTERS

FLOOD = 5000


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_limits, "time", clock)
    return clock


@pytest.fixture
def written(tmp_path: Path, clock: Clock) -> Iterator[Callable[[], list[str]]]:
    path = tmp_path / "log"
    before = list(logging.getLogger().handlers)
    logs.configure(format="json", file=path)
    (handler,) = [each for each in logging.getLogger().handlers if each not in before]

    def read() -> list[str]:
        handler.flush()
        return path.read_text().splitlines()

    yield read
    logging.getLogger().removeHandler(handler)
    handler.close()


def ours(number: int) -> None:
    logging.getLogger("notifybot.web").error("a request failed", extra={"action": "x", "number": number})


def a_library(number: int) -> None:
    logging.getLogger("asyncio").error(f"Task exception was never retrieved: {number}")


def a_library_with_a_trace(number: int) -> None:
    try:
        raise OSError(number, "Too many open files")
    except OSError:
        logging.getLogger("aiohttp.server").exception("Error handling request")


def a_warning(number: int) -> None:
    logging.getLogger("notifybot.files").warning("scanner refused a file", extra={"number": number})


def guesses(number: int) -> None:
    logging.getLogger("notifybot.auth").info("JWT refused", extra={"number": number})


FLOODS = [ours, a_library, a_library_with_a_trace, a_warning, guesses]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_cut_down_and_other_lines_are_logged(
    flood: Callable[[int], None], written: Callable[[], list[str]]
) -> None:
    for number in range(FLOOD):
        flood(number)
    logging.getLogger("notifybot.other").warning("something else")

    lines = written()
    assert len(lines) == BURST + 1
    assert "something else" in lines[-1]


@pytest.mark.parametrize("flood", FLOODS)
def test_the_next_line_of_its_kind_says_how_many_are_missing(
    flood: Callable[[int], None], written: Callable[[], list[str]], clock: Clock
) -> None:
    flood(0)
    for number in range(1, FLOOD):
        flood(number)
    clock.now += 10
    flood(FLOOD)

    assert f'"similar_omitted": {FLOOD - BURST}' in written()[BURST]


def test_a_flood_that_has_ended_is_reported_by_any_later_line(written: Callable[[], list[str]], clock: Clock) -> None:
    for number in range(FLOOD):
        ours(number)
    clock.now += 60
    a_warning(1)

    report = next(line for line in written() if "similar log lines were omitted" in line)
    assert f'"lines": {FLOOD - BURST}' in report
    assert "a request failed" in report


def test_a_steady_trickle_is_logged_in_full(written: Callable[[], list[str]], clock: Clock) -> None:
    for number in range(FLOOD):
        guesses(number)
        clock.now += 1 / 30
    assert len(written()) == FLOOD


def test_levels_and_texts_are_kinds_of_their_own(written: Callable[[], list[str]]) -> None:
    for number in range(2 * BURST):
        ours(number)
        a_warning(number)
        guesses(number)
    assert len(written()) == 3 * BURST


def test_the_number_of_kinds_is_bounded() -> None:
    limit = LineLimit()
    for number in range(2 * MAX_KINDS):
        record = logging.makeLogRecord({"name": "notifybot.x", "msg": f"text {number}", "levelno": logging.ERROR})
        assert limit.filter(record)
    assert len(limit._counts) == MAX_KINDS


@pytest.mark.parametrize("size", [MAX_CHARACTERS + 1, 1_000_000])
def test_a_long_line_is_cut_in_the_middle(written: Callable[[], list[str]], size: int) -> None:
    logging.getLogger("telegram").critical("a" * size + "z", extra={"data": "b" * size})
    (line,) = written()
    assert len(line) < 3 * MAX_CHARACTERS
    assert "aaz" in line
    assert "bbb" in line
