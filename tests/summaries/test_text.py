"""Text of a summary, and the bars of its chart."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifybot.summaries import chart as summaries_chart
from notifybot.summaries.chart import Chart
from notifybot.summaries.facts import HOUR, Arrivals, Bar, OpenAlert, Period, SummaryFacts, Tally, bars, has_course
from notifybot.summaries.text import Audience, body, nothing_to_report, title

BEGIN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = Period(BEGIN, BEGIN + timedelta(days=1))
BERLIN = Audience("Europe/Berlin", "alice")
EVERYTHING = Audience("Europe/Berlin", None)


def lines(facts: SummaryFacts, setting: Audience = BERLIN) -> list[str]:
    return body(facts, setting).splitlines()[2:]


def test_it_names_the_day_and_the_time_in_the_readers_zone() -> None:
    facts = SummaryFacts(DAY, Tally(sent=1))
    assert title(facts, BERLIN) == "Daily summary, Monday 2 March"
    assert body(facts, BERLIN).startswith(
        "Since Sunday 1 March, 09:00 (Europe/Berlin): messages sent by or shown to alice.\n\n"
    )
    assert "all messages on this server" in body(facts, EVERYTHING)


def test_a_requested_summary_says_so() -> None:
    on_request = Audience("UTC", "alice", is_manual=True)
    assert title(SummaryFacts(DAY), on_request) == "Summary on request, Monday 2 March"
    assert nothing_to_report(SummaryFacts(DAY), on_request).startswith("Summary on request: since ")


def test_nothing_to_say_is_one_line() -> None:
    said = nothing_to_report(SummaryFacts(DAY), BERLIN)
    assert said == "Daily summary: since Sunday 1 March, 09:00 (Europe/Berlin) nothing was sent, and no alert is open."


def test_a_zero_has_no_line_unless_the_day_before_had_some() -> None:
    assert lines(SummaryFacts(DAY, Tally(sent=3))) == ["Sent: 3 (the day before: 0)"]
    before = Tally(sent=9, failed=2, expired=1, acknowledged=4)
    assert lines(SummaryFacts(DAY, Tally(sent=3), before)) == [
        "Sent: 3 (the day before: 9)",
        "Failed: 0 (2)",
        "Acknowledged: 0 (4)",
        "Expired unacknowledged: 0 (1)",
    ]


@pytest.mark.parametrize(
    ("median", "said"),
    [
        (timedelta(0), "1s"),
        (timedelta(seconds=119), "1m59s"),
        (timedelta(seconds=250), "4m"),
        (timedelta(hours=2, minutes=3, seconds=31), "2h4m"),
    ],
)
def test_the_median_time_to_acknowledge_is_rounded(median: timedelta, said: str) -> None:
    facts = SummaryFacts(DAY, Tally(sent=1, acknowledged=2), acknowledged_by=(("Anna", 2),), median=median)
    assert f"Acknowledged: 2 (0), half of them within {said}, by Anna 2" in lines(facts)


def test_only_the_oldest_open_alerts_are_listed_with_their_times() -> None:
    oldest = tuple(OpenAlert(BEGIN + timedelta(hours=hour), f"disk {hour}") for hour in (0, 20))
    assert lines(SummaryFacts(DAY, open=7, oldest=oldest))[1:] == [
        "Still open: 7",
        "• 1 Mar 09:00 disk 0",
        "• 05:00 disk 20",
        "• and 5 more",
    ]


def test_many_names_are_cut_short_and_the_rest_is_counted() -> None:
    sources = tuple((f"source {number}", 20 - number) for number in range(12))
    said = lines(SummaryFacts(DAY, sources=sources, events=(("x" * 99, 1),)))
    assert said[1].startswith("By source: source 0 20, source 1 19, ")
    assert said[1].endswith("source 7 13, 4 others 42")
    assert said[2] == f"Events: {'x' * 39}… 1"


def test_a_name_of_several_lines_stays_on_its_line() -> None:
    assert lines(SummaryFacts(DAY, sources=(("a\nb", 1),)))[1:] == ["By source: a b 1"]


# Bars


def test_a_day_has_a_bar_for_each_hour() -> None:
    arrivals = (Arrivals(0, 3, False), Arrivals(0, 1, True), Arrivals(23, 2, False))
    shown = bars(SummaryFacts(DAY, arrivals=arrivals, arrivals_before=(Arrivals(0, 5, True), Arrivals(0, 1, False))))
    assert [bar.begin for bar in shown] == [BEGIN + timedelta(hours=hour) for hour in range(24)]
    assert [(bar.alerts, bar.notices, bar.before) for bar in (shown[0], shown[1], shown[23])] == [
        (1, 3, 6),
        (0, 0, 0),
        (0, 2, 0),
    ]


@pytest.mark.parametrize(
    ("length", "size", "step"),
    [
        (timedelta(hours=23), 23, timedelta(hours=1)),
        (timedelta(hours=25), 25, timedelta(hours=1)),
        (timedelta(hours=25, minutes=30), 26, timedelta(hours=1)),
        (timedelta(days=3), 3, timedelta(days=1)),
        (timedelta(days=31), 31, timedelta(days=1)),
    ],
)
def test_a_longer_time_has_broader_bars(length: timedelta, size: int, step: timedelta) -> None:
    period = Period(BEGIN, BEGIN + length)
    assert (len(bars(SummaryFacts(period))), period.step) == (size, step)


MINUTES_PAST = [
    (timedelta(0), 24),
    (timedelta(minutes=1), 25),
    (timedelta(minutes=32), 25),
    (timedelta(minutes=59, seconds=59, microseconds=999_999), 25),
    (timedelta(hours=1), 24),
]


@pytest.mark.parametrize(("later", "size"), MINUTES_PAST)
def test_hours_are_full_hours(later: timedelta, size: int) -> None:
    steps = Period(BEGIN + later, BEGIN + later + timedelta(days=1)).steps
    assert len(steps) == size
    assert {(step.minute, step.second, step.microsecond) for step in steps} == {(0, 0, 0)}
    assert steps[0] <= BEGIN + later < steps[1]
    assert steps[-1] < BEGIN + later + timedelta(days=1)


@pytest.mark.parametrize(
    ("arrivals", "before", "is_drawn"),
    [
        ((), (), False),
        ((Arrivals(23, 9, True),), (), False),
        ((Arrivals(23, 9, True), Arrivals(23, 4, False)), (Arrivals(23, 1, True),), False),
        ((Arrivals(3, 1, True), Arrivals(23, 4, False)), (), True),
        ((Arrivals(3, 1, True),), (Arrivals(9, 1, True),), True),
    ],
)
def test_one_bar_in_an_empty_day_makes_no_chart(
    arrivals: tuple[Arrivals, ...], before: tuple[Arrivals, ...], is_drawn: bool
) -> None:
    assert has_course(bars(SummaryFacts(DAY, arrivals=arrivals, arrivals_before=before))) is is_drawn


# The chart


def colours(png: bytes) -> set[tuple[int, int, int]]:
    from PIL import Image

    return {colour for _, colour in Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 20)}  # type: ignore[union-attr, misc]


@pytest.mark.parametrize("count", [0, 1, 7, 1_000_000])
def test_the_picture_shows_alerts_notices_and_the_day_before(count: int) -> None:
    pytest.importorskip("PIL")
    arrivals = (Arrivals(1, count, True), Arrivals(2, count, False))
    facts = SummaryFacts(DAY, arrivals=arrivals, arrivals_before=(Arrivals(3, count, True),))
    png = summaries_chart.draw(Chart.of(facts, "Europe/Berlin"))
    assert png.startswith(b"\x89PNG")
    red, grey = (0xD1, 0x24, 0x2F), (0x8C, 0x95, 0x9F)
    assert {red, grey} <= colours(png)


COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 1000), st.integers(0, 10**7))


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=31))
@settings(deadline=None, max_examples=60)
def test_small_counts_are_visible_beside_large_ones(counts: list[tuple[int, int, int]]) -> None:
    image_of = pytest.importorskip("PIL.Image").open
    shown = tuple(Bar(BEGIN + number * HOUR, *each) for number, each in enumerate(counts))
    image = image_of(io.BytesIO(summaries_chart.draw(Chart(shown, HOUR, is_a_day=True, zone="UTC"))))
    for place, (alerts, notices, before) in enumerate(counts):
        x = summaries_chart.LEFT + int(
            (place + 0.5) * (summaries_chart.WIDTH - summaries_chart.LEFT - summaries_chart.RIGHT) / len(counts)
        )
        column = {
            "#{:02x}{:02x}{:02x}".format(*image.getpixel((x, y)))
            for y in range(summaries_chart.TOP - 4, summaries_chart.HEIGHT)
        }
        assert (summaries_chart.BEFORE in column) == bool(before)
        if not before:  # its line can cover low bars
            assert ((summaries_chart.ALERTS in column), (summaries_chart.NOTICES in column)) == (
                bool(alerts),
                bool(notices),
            )


def test_the_same_facts_make_the_same_picture() -> None:
    """So a picture that Telegram already has is not uploaded again."""
    pytest.importorskip("PIL")
    chart = Chart.of(SummaryFacts(DAY, arrivals=(Arrivals(1, 3, False),)), "Africa/Cairo")
    assert summaries_chart.draw(chart) == summaries_chart.draw(chart)


def test_a_long_time_is_drawn_by_days() -> None:
    pytest.importorskip("PIL")
    chart = Chart.of(SummaryFacts(Period(BEGIN, BEGIN + timedelta(days=31)), arrivals=(Arrivals(30, 3, False),)), "UTC")
    assert summaries_chart.draw(chart).startswith(b"\x89PNG")
