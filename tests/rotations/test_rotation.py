"""Shifts, handovers, hours and overrides, through both clock changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from notifybot.rotations import rotation
from notifybot.rotations.rotation import Assignment, Hours, Override, Reason, Rotation
from notifybot.times.cron import falls_on, parse_cron
from notifybot.times.wall_clock import moments

WORKING_DAYS = frozenset(range(5))
ALL_DAYS = frozenset(range(7))
BERLIN, NEW_YORK, CAIRO = "Europe/Berlin", "America/New_York", "Africa/Cairo"


def rota(
    handover: str = "0 9 * * mon",
    *members: str,
    start: str = "2026-01-05",
    zone: str = "UTC",
    hours: tuple[Hours, ...] = (),
    otherwise: tuple[str, ...] = (),
) -> Rotation:
    named = members or ("alice", "bob", "carol")
    return Rotation(named, date.fromisoformat(start), parse_cron(handover), zone, hours, otherwise)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def on_call(of: Rotation, moment: datetime, *overrides: Override) -> tuple[str, ...]:
    return rotation.on_call_at(of, overrides, moment).members


def override(number: int, member: str, starts_at: datetime, ends_at: datetime) -> Override:
    made_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return Override(f"o{number}", member, starts_at, ends_at, made_at)


@pytest.mark.parametrize(
    ("moment", "member"),
    [
        ("2026-01-05 09:00", "alice"),
        ("2026-01-12 08:59:59", "alice"),
        ("2026-01-12 09:00", "bob"),
        ("2026-01-19 09:00", "carol"),
        ("2026-01-26 09:00", "alice"),
        ("2027-01-04 09:00", "bob"),
    ],
)
def test_shifts_rotate_at_each_handover(moment: str, member: str) -> None:
    assert on_call(rota(), at(moment)) == (member,)


def test_the_first_shift_starts_with_the_first_handover_of_the_first_day() -> None:
    twice_a_day = rota("0 8,20 * * *")
    assert rotation.on_call_at(twice_a_day, (), at("2026-01-05 07:59")) == Assignment((), Reason.OTHERWISE)
    assert [on_call(twice_a_day, at(f"2026-01-05 {hour}")) for hour in ("08:00", "20:00")] == [("alice",), ("bob",)]


def test_the_first_shift_starts_at_midnight_if_the_first_day_has_no_handover() -> None:
    from_a_thursday = rota(start="2026-01-08", zone=BERLIN)
    assert on_call(from_a_thursday, at("2026-01-07 23:59", BERLIN)) == ()
    assert on_call(from_a_thursday, at("2026-01-08 00:00", BERLIN)) == ("alice",)
    assert on_call(from_a_thursday, at("2026-01-12 09:00", BERLIN)) == ("bob",)


def test_before_the_first_shift_otherwise_is_on_call() -> None:
    assert on_call(rota(otherwise=("ops",)), at("2025-06-01 12:00")) == ("ops",)


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        (BERLIN, "2026-03-23", "2026-03-30"),
        (BERLIN, "2026-10-19", "2026-10-26"),
        (NEW_YORK, "2026-03-02", "2026-03-09"),
        (NEW_YORK, "2026-10-26", "2026-11-02"),
        (CAIRO, "2026-04-20", "2026-04-27"),
        (CAIRO, "2026-10-26", "2026-11-02"),
    ],
)
def test_a_handover_keeps_its_time_of_day_when_the_clocks_change(zone: str, before: str, after: str) -> None:
    weekly = rota("0 9 * * mon", zone=zone)
    begins, ends = at(f"{before} 09:00", zone), at(f"{after} 09:00", zone)
    assert rotation.next_handover(weekly, begins) == ends
    assert abs(ends - begins - timedelta(days=7)) == timedelta(hours=1)
    second = timedelta(seconds=1)
    assert on_call(weekly, begins) == on_call(weekly, ends - second) != on_call(weekly, ends)


@pytest.mark.parametrize(
    ("zone", "time_of_day", "day", "moment"),
    [
        (BERLIN, "30 2", "2026-03-29", "2026-03-29 01:00"),  # jumped over
        (BERLIN, "30 2", "2026-10-25", "2026-10-25 00:30"),  # the first of two
        (NEW_YORK, "30 2", "2026-03-08", "2026-03-08 07:00"),
        (NEW_YORK, "30 1", "2026-11-01", "2026-11-01 05:30"),
        (CAIRO, "0 0", "2026-04-24", "2026-04-23 22:00"),  # a day that begins at 01:00
        (CAIRO, "30 23", "2026-10-29", "2026-10-29 20:30"),
    ],
)
def test_a_handover_at_a_skipped_or_repeated_time_happens_once(
    zone: str, time_of_day: str, day: str, moment: str
) -> None:
    daily = rota(f"{time_of_day} * * *", "a", "b", "c", "d", "e", zone=zone)
    eve = at(moment) - timedelta(hours=12)
    handover = rotation.next_handover(daily, eve)
    assert handover == at(moment)
    following = rotation.next_handover(daily, handover)
    assert following is not None
    assert following.astimezone(ZoneInfo(zone)).date() == date.fromisoformat(day) + timedelta(days=1)
    names = [on_call(daily, each)[0] for each in (eve, handover, handover + timedelta(hours=4), following)]
    first = "abcde".index(names[0])
    assert names == ["abcde"[(first + ahead) % 5] for ahead in (0, 1, 1, 2)]


def test_two_handovers_within_a_skipped_hour_skip_one_shift() -> None:
    both = rota("15,45 2 * * *", "a", "b", "c", "d", "e", start="2026-03-28", zone=BERLIN)
    assert on_call(both, at("2026-03-28 12:00", BERLIN)) == ("b",)
    assert on_call(both, at("2026-03-29 03:00", BERLIN)) == ("d",)


def test_handovers_on_leap_days() -> None:
    yearly = rota("0 0 29 2 *", start="2024-02-29")
    assert [on_call(yearly, at(day)) for day in ("2024-02-29", "2028-02-28", "2028-02-29", "2032-02-29")] == [
        ("alice",),
        ("alice",),
        ("bob",),
        ("carol",),
    ]
    assert rotation.next_handover(yearly, at("2028-02-29 00:00")) == at("2032-02-29 00:00")


NIGHTS = (
    Hours(WORKING_DAYS, time(18), time(8)),
    Hours(frozenset({5, 6}), time(), time()),
)


@pytest.mark.parametrize(
    ("moment", "members"),
    [
        ("2026-01-05 17:59", ("day",)),
        ("2026-01-05 18:00", ("alice",)),
        ("2026-01-06 07:59", ("alice",)),
        ("2026-01-06 08:00", ("day",)),
        ("2026-01-10 07:59", ("alice",)),  # Saturday
        ("2026-01-10 12:00", ("alice",)),
        ("2026-01-11 23:59", ("alice",)),
        ("2026-01-12 00:00", ("day",)),  # Monday; Sunday has no night
    ],
)
def test_outside_its_hours_otherwise_is_on_call(moment: str, members: tuple[str, ...]) -> None:
    nights = rota("0 12 * * mon", zone=BERLIN, hours=NIGHTS, otherwise=("day",), start="2026-01-05")
    assert on_call(nights, at(moment, BERLIN)) == members


@pytest.mark.parametrize(
    ("day", "length"), [("2026-03-28", 13), ("2026-06-06", 14), ("2026-10-24", 15)], ids=["spring", "summer", "autumn"]
)
def test_a_night_is_an_hour_shorter_or_longer_when_the_clocks_change(day: str, length: int) -> None:
    nights = rota(zone=BERLIN, hours=(Hours(ALL_DAYS, time(18), time(8)),))
    begins = at(f"{day} 18:00", BERLIN)
    shift = next(rotation.shifts(nights, (), begins))
    assert shift.until == begins + timedelta(hours=length)


def test_hours_end_at_the_second_of_two_equal_times() -> None:
    early = rota(zone=BERLIN, hours=(Hours(ALL_DAYS, time(0), time(2, 30)),))
    assert on_call(early, at("2026-10-25 02:29", BERLIN, fold=1)) != ()
    assert on_call(early, at("2026-10-25 02:30", BERLIN, fold=1)) == ()


NOON = at("2026-01-07 12:00")


def test_an_override_takes_precedence_over_shift_and_hours() -> None:
    closed = rota(hours=(Hours(WORKING_DAYS, time(18), time(8)),))
    taken = override(1, "dora", NOON, NOON + timedelta(hours=2))
    assert on_call(closed, NOON, taken) == ("dora",)
    assert rotation.on_call_at(closed, (taken,), NOON).override == taken
    assert (
        on_call(closed, NOON - timedelta(seconds=1), taken) == on_call(closed, NOON + timedelta(hours=2), taken) == ()
    )


def test_the_override_created_last_wins() -> None:
    whole = override(1, "dora", NOON, NOON + timedelta(hours=8))
    within = override(2, "erin", NOON + timedelta(hours=2), NOON + timedelta(hours=3))
    found = [
        (shift.assignment.members, shift.starts_at - NOON, shift.until and shift.until - NOON)
        for shift in islice(rotation.shifts(rota(), (within, whole), NOON), 4)
    ]
    hours = timedelta(hours=1)
    assert found[:3] == [
        (("dora",), 0 * hours, 2 * hours),
        (("erin",), 2 * hours, 3 * hours),
        (("dora",), 3 * hours, 8 * hours),
    ]
    assert found[3][:2] == (("alice",), 8 * hours)


def test_a_shift_continues_over_changes_that_change_nobody() -> None:
    named_twice = rota("0 9 * * mon", "alice", "alice", "bob")
    by_herself = override(1, "alice", NOON, NOON + timedelta(hours=1))
    found = list(islice(rotation.shifts(named_twice, (by_herself,), NOON), 2))
    assert [(shift.assignment.members, shift.until) for shift in found] == [
        (("alice",), at("2026-01-19 09:00")),
        (("bob",), at("2026-01-26 09:00")),
    ]


def test_a_rotation_of_one_has_no_end_in_sight() -> None:
    (shift,) = rotation.shifts(rota("@daily", "alice"), (), NOON)
    assert shift.until is None


def test_a_shift_starts_with_a_handover_its_hours_or_the_end_of_an_override() -> None:
    weekdays = rota(hours=(Hours(WORKING_DAYS, time(8), time(18)),))
    assert rotation.shift_start(rota(), (), NOON) == at("2026-01-05 09:00")
    assert rotation.shift_start(weekdays, (), NOON) == at("2026-01-07 08:00")
    past = override(1, "dora", at("2026-01-07 09:00"), at("2026-01-07 11:00"))
    assert rotation.shift_start(weekdays, (past,), NOON) == past.ends_at
    assert rotation.shift_start(rota("0 9 * * mon", "alice"), (), at("2026-03-04 12:00")) == at("2026-01-05 09:00")
    assert rotation.shift_start(rota(), (), at("2025-06-01 12:00")) == at("2025-06-01 12:00")


FIELDS = [
    ["0", "15,45", "30"],
    ["9", "0,12", "2", "23"],
    ["*", "1", "*/2", "13-17", "29"],
    ["*", "2", "*/3", "10-11"],
    ["*", "mon", "sat,sun", "1-5", "*/2"],
]
CRONS = st.tuples(*(st.sampled_from(field) for field in FIELDS)).map(" ".join)
ZONES = st.sampled_from(["UTC", BERLIN, NEW_YORK, CAIRO, "Asia/Kolkata", "Pacific/Apia", "America/Havana"])
DATES = st.dates(date(2010, 1, 1), date(2040, 1, 1))


def by_cron(cron: str, zone: str, start: date) -> Iterator[datetime]:
    """Yield every handover from a date on, from the cron library instead of days and times."""
    midnight = datetime.combine(start, time()) - timedelta(seconds=1)
    for nominal in CronSim(cron, midnight):
        yield moments(nominal.date(), nominal.time(), ZoneInfo(zone))[0]


@given(CRONS, ZONES, DATES, st.integers(0, 60), st.integers(1, 5))
def test_each_handover_starts_the_next_members_shift(
    cron: str, zone: str, start: date, skipped: int, size: int
) -> None:
    members = tuple("abcde"[:size])
    expected = list(islice(by_cron(cron, zone, start), skipped, skipped + 3))
    rotating = rota(cron, *members, start=start.isoformat(), zone=zone)
    opens_with_one = falls_on(rotating.handover, start)
    for number, handover in enumerate(expected, skipped):
        if expected.count(handover) == 1 and (turn := number + (not opens_with_one)) > 0:
            assert on_call(rotating, handover - timedelta(seconds=1)) == (members[(turn - 1) % size],)
            assert on_call(rotating, handover) == (members[turn % size],)
    for before, after in pairwise(expected):
        assert before == after or rotation.next_handover(rotating, before) == after


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rotation, list[Override], datetime]:
    """Generate a rotation with hours and overrides, and a moment in it, often near a clock change."""
    times = st.sampled_from([time(0), time(2, 30), time(8), time(18), time(23, 30)])
    days = st.frozensets(st.integers(0, 6), min_size=1)
    hours = tuple(draw(st.lists(st.builds(Hours, days, times, times), max_size=2)))
    zone = draw(ZONES)
    start = draw(DATES)
    made = replace(rota(draw(CRONS), zone=zone, start=start.isoformat(), otherwise=("otherwise",)), hours=hours)
    moment = datetime.combine(start, time(12), tzinfo=UTC) + timedelta(minutes=draw(st.integers(-3000, 800_000)))
    minutes = st.integers(-4000, 4000)
    overrides = []
    for number in range(draw(st.integers(0, 3))):
        begins = moment + timedelta(minutes=draw(minutes))
        span = timedelta(minutes=draw(st.integers(1, 3000)))
        overrides.append(override(number, f"stand-in {number}", begins, begins + span))
    return made, overrides, moment


@given(tables(), st.floats(0, 1))
def test_nobody_else_is_on_call_before_the_next_change(
    table: tuple[Rotation, list[Override], datetime], part: float
) -> None:
    made, overrides, moment = table
    change = rotation.next_change(made, overrides, moment)
    assume(change is not None)
    assert change is not None
    between = moment + part * (change - moment)
    if between < change:
        assert rotation.on_call_at(made, overrides, between) == rotation.on_call_at(made, overrides, moment)


@given(tables())
def test_a_shift_start_holds_for_every_moment_of_the_shift(table: tuple[Rotation, list[Override], datetime]) -> None:
    made, overrides, moment = table
    first, *others = islice(rotation.shifts(made, overrides, moment), 3)
    for shift in others:
        middle = (
            shift.starts_at + (min(shift.until or moment, shift.starts_at + timedelta(days=20)) - shift.starts_at) / 2
        )
        assert rotation.shift_start(made, overrides, max(middle, shift.starts_at)) == shift.starts_at
    assert rotation.shift_start(made, overrides, moment) <= first.starts_at


@given(tables())
def test_shifts_follow_each_other_and_change_members(table: tuple[Rotation, list[Override], datetime]) -> None:
    made, overrides, moment = table
    found = list(islice(rotation.shifts(made, overrides, moment), 4))
    assert found[0].starts_at == moment
    for shift, following in pairwise(found):
        assert shift.until == following.starts_at > shift.starts_at
        assert shift.assignment.members != following.assignment.members
