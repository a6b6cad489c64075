"""Property tests of summary plans: at most one summary per local date, no overlapping periods, with clock changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, StaticPool, create_engine
from sqlmodel import Session, SQLModel

from notifybot.model.chats import Chat
from notifybot.model.people import Person
from notifybot.model.schedules import SummaryPlan
from notifybot.storage.statements import table_of
from notifybot.summaries import plan as summaries_plan
from notifybot.summaries.facts import Period
from notifybot.summaries.plan import MAX_AHEAD, DueSummary, SummaryDefaults
from notifybot.times.wall_clock import Daily

NOON = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Kolkata", "Pacific/Kiritimati"]
USUAL = SummaryDefaults(Daily(time(9), "UTC"), to=("ops",))


@contextmanager
def database() -> Iterator[Session]:
    """Open an empty database. All tests share one, as to create it for each example takes longer than the example."""
    with Session(shared_engine(), expire_on_commit=False) as session:
        for model in (SummaryPlan, Person, Chat):
            session.execute(table_of(model).delete())
        session.commit()
        yield session


@cache
def shared_engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    SQLModel.metadata.create_all(engine, tables=[table_of(model) for model in (Chat, Person, SummaryPlan)])
    return engine


def subscribe(session: Session, name: str, **chosen: Any) -> Person:
    session.add(Chat(id=name))
    session.flush()
    person = Person(user_id=name, account=name, chat_id=name, chat_name=name, created_at=NOON, **chosen)
    session.add(person)
    session.flush()
    return person


@dataclass
class Story:
    """One reader, with the dates and periods of their summaries."""

    session: Session
    usual: SummaryDefaults
    reader: str
    now: datetime
    days: list[date] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)

    def run(self) -> None:
        for turn in summaries_plan.due(self.session, now=self.now, limit=100):
            self.tell(turn)
        wants = summaries_plan.outdated(self.session, self.usual, now=self.now, limit=100)
        summaries_plan.save_plans(self.session, wants, now=self.now)
        assert summaries_plan.outdated(self.session, self.usual, now=self.now, limit=100) == []

    def tell(self, turn: DueSummary) -> None:
        """Send a due summary like the job, with a kill before the commit, and a second daemon."""
        with self.session.begin_nested() as broken_off:
            assert summaries_plan.take(self.session, turn, now=self.now)
            broken_off.rollback()
        assert summaries_plan.take(self.session, turn, now=self.now)
        assert not summaries_plan.take(self.session, turn, now=self.now)
        if turn.reader == self.reader:
            self.days.append(turn.day)
            self.periods.append(turn.period)

    @property
    def plan(self) -> SummaryPlan:
        self.session.expire_all()
        plan = self.session.get(SummaryPlan, self.reader)
        assert plan is not None
        return plan


TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
DAILIES = st.builds(Daily, TIMES, st.sampled_from(ZONES))
BEGINNINGS = st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))
AHEAD = st.integers(1, 4 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
BACK = st.integers(1, 60).map(lambda minutes: -timedelta(minutes=minutes))
STEPS = st.lists(st.one_of(AHEAD, AHEAD, BACK), min_size=1, max_size=15)


@pytest.mark.slow_because("a hundred readers live through days")
@given(DAILIES, BEGINNINGS, STEPS)
@settings(deadline=None)
def test_each_date_has_one_summary_through_downtime_and_clock_changes(
    daily: Daily, begin: datetime, steps: list[timedelta]
) -> None:
    """Only the last of several missed dates gets one; periods neither overlap nor leave gaps."""
    with database() as session:
        story = Story(session, SummaryDefaults(daily, ("ops",)), "to:ops", begin)
        story.run()
        expected: list[date] = []
        latest = daily.latest(begin)
        for step in steps:
            story.now += step
            story.run()
            if daily.latest(story.now) > latest:
                latest = daily.latest(story.now)
                expected.append(latest)
            assert story.now < (story.plan.next_at or story.now) <= story.now + MAX_AHEAD

        assert story.days == expected
        assert all(earlier.end == later.begin for earlier, later in pairwise(story.periods))
        assert [period.end for period in story.periods] == [daily.on(day) for day in expected]


CHANGES = st.tuples(
    st.one_of(AHEAD, AHEAD, BACK), st.one_of(st.none(), TIMES), st.one_of(st.none(), st.sampled_from(ZONES))
)


@pytest.mark.slow_because("a hundred readers live through days")
@given(st.lists(CHANGES, min_size=1, max_size=15))
@settings(deadline=None)
def test_no_date_has_two_summaries_after_any_change_of_time_and_zone(
    steps: list[tuple[timedelta, time | None, str | None]],
) -> None:
    with database() as session:
        person = subscribe(session, "anna")
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        for step, at, zone in steps:
            story.now += step
            story.run()
            person.summary_time = None if at is None else f"{at:%H:%M}"
            person.time_zone = zone
            session.add(person)
            session.flush()
            story.run()
            assert story.now < (story.plan.next_at or story.now) <= story.now + MAX_AHEAD

        assert story.days == sorted(set(story.days))
        assert all(earlier.end == later.begin for earlier, later in pairwise(story.periods))


def test_new_readers_are_planned_and_former_ones_are_not() -> None:
    with database() as session:
        person = subscribe(session, "anna", summary_time="18:00", time_zone="Asia/Tokyo")
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        assert (story.plan.daily, story.plan.next_at) == ("18:00 Asia/Tokyo", NOON + timedelta(hours=21))
        person.account = None
        session.add(person)
        session.flush()
        story.run()
        assert (story.plan.daily, story.plan.next_at) == (None, None)


def test_the_plan_of_a_removed_person_ends() -> None:
    with database() as session:
        person = subscribe(session, "anna")
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        session.delete(person)
        session.flush()
        story.now += timedelta(days=1)
        story.run()
        assert (story.plan.daily, story.plan.next_at) == (None, None)


def test_an_unknown_zone_counts_as_utc() -> None:
    with database() as session:
        subscribe(session, "anna", time_zone="Mars/Olympus_Mons")
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        assert story.plan.next_at == NOON + timedelta(hours=21)
        story.now += timedelta(hours=21)
        story.run()
        assert story.days == [date(2026, 3, 28)]


def test_after_a_very_long_downtime_a_summary_covers_the_last_month() -> None:
    with database() as session:
        subscribe(session, "anna")
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        for days in (1, 200):
            story.now += timedelta(days=days)
            story.run()
        assert story.periods[-1].end - story.periods[-1].begin == timedelta(days=31)


def test_requested_summaries_cover_the_last_day_and_leave_plans_alone() -> None:
    with database() as session:
        subscribe(session, "anna")
        subscribe(session, "bob", is_enabled=False)
        story = Story(session, USUAL, "person:anna", NOON)
        story.run()
        before = story.plan.next_at
        turns = summaries_plan.on_request(session, now=NOON)
        assert {turn.reader for turn in turns} == {"person:anna", "to:ops"}
        assert {turn.period for turn in turns} == {Period(NOON - timedelta(days=1), NOON)}
        assert {turn.planned_at for turn in turns} == {None}
        assert story.plan.next_at == before
