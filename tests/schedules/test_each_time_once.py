"""Property tests of schedules: in any zone, with clock changes and kills, each occurrence is sent exactly once."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url
from sqlmodel import Session, col, select

from notifybot.errors import NotifybotError
from notifybot.messages import accept
from notifybot.messages.accept import NO_CONFIG
from notifybot.messages.new_message import MAX_AHEAD, Acceptance, NewMessage
from notifybot.model.actors import by_account
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State
from notifybot.people import people
from notifybot.recipients.address import recipient_of
from notifybot.schedules import cancel, changes, queries, release
from notifybot.storage.engines import engine_for
from notifybot.times import occurrences as times_occurrences
from notifybot.times import recurrence

ANNA = by_account("anna")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe"]
REPEATS = ["every 7m", "every 26h", "*/20 * * * *", "30 2 * * *", "@daily", "0 0,12 * * mon-fri", "15 1 * * *"]
CHANGES = ["2026-03-07T20:00", "2026-03-28T20:00", "2026-04-23T18:00", "2026-10-24T20:00", "2026-10-29T18:00"]
"""Some hours before a clock change somewhere."""
NEVER = datetime.min.replace(tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _everything_is_counted() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(times_occurrences, "MAX_MISSED", 100_000)
        yield


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def new(repeat: str | None, zone: str = "UTC", send_at: datetime | None = None) -> NewMessage:
    whom = (recipient_of("-1001"),)
    usual = NewMessage("anna", "test", whom, "still here", None, False, None, None)
    return usual._replace(send_at=send_at, repeat=repeat, time_zone=zone)


@dataclass
class Life:
    """A daemon that can stop at any time, with a clock that can be set back."""

    path: Path
    now: datetime
    latest: datetime = NEVER
    """Latest time at which it looked for due messages."""
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.starts()

    def starts(self) -> None:
        self.engine = engine_for(make_url(f"sqlite:///{self.path}"), read_only=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    def accepts(self, message: NewMessage) -> Acceptance | NotifybotError:
        with self.transaction() as session:
            (answer,) = accept.accept(session, [message], now=self.now)
        return answer

    def releases(self, limit: int = 2) -> None:
        self.latest = max(self.latest, self.now)
        while self.releases_some(limit):
            pass

    def releases_some(self, limit: int) -> int:
        with self.transaction() as session:
            return release.release_due(session, now=self.now, limit=limit, directory=NO_CONFIG)

    def is_killed(self) -> None:
        """Stop in the middle of a release."""
        with Session(self.engine) as session:
            release.release_due(session, now=self.now, limit=10, directory=NO_CONFIG)
        self.engine.dispose()
        self.starts()

    def occurrences(self, schedule_id: str) -> list[Message]:
        """Return all messages of a schedule, in the order of their times."""
        with self.transaction() as session:
            found = select(Message).where(Message.schedule_id == schedule_id)
            return list(session.exec(found.order_by(col(Message.send_at), col(Message.id))))

    def deliveries(self) -> list[str]:
        with self.transaction() as session:
            return list(session.exec(select(Delivery.message_id)))


@contextmanager
def life(migrated: Path, begin: str) -> Iterator[Life]:
    with tempfile.TemporaryDirectory() as folder:
        daemon = Life(Path(shutil.copy(migrated, folder)), utc(begin))
        yield daemon
        daemon.engine.dispose()


HAPPENINGS = st.one_of(
    st.integers(1, 300).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(1, 90).map(lambda hours: timedelta(hours=hours)),
    st.just(timedelta(hours=-1)),
    st.just("is killed"),
)
PLANS = st.lists(st.tuples(st.sampled_from(REPEATS), st.sampled_from(ZONES)), min_size=1, max_size=3)


@pytest.mark.slow_because("50 schedules live through days")
@settings(max_examples=50, deadline=None)
@given(begin=st.sampled_from(CHANGES), plans=PLANS, happenings=st.lists(HAPPENINGS, min_size=1, max_size=8))
def test_each_occurrence_is_released_or_counted_as_missed_exactly_once(
    migrated: Path, begin: str, plans: list[tuple[str, str]], happenings: list[timedelta | str]
) -> None:
    with life(migrated, begin) as daemon:
        accepted = [daemon.accepts(new(repeat, zone)) for repeat, zone in plans]
        for happening in happenings:
            if isinstance(happening, str):
                daemon.is_killed()
            else:
                daemon.now += happening
                daemon.releases()
        for answer in accepted:
            check(daemon, answer)
        assert sorted(daemon.deliveries()) == sorted(set(daemon.deliveries()))


def check(daemon: Life, answer: Acceptance | NotifybotError) -> None:
    """Assert that every occurrence was released or missed, and the next one is waiting."""
    assert isinstance(answer, Acceptance)
    assert answer.schedule_id is not None
    with daemon.transaction() as session:
        listed = queries.find(session, answer.schedule_id)
    schedule, repeat = listed.schedule, recurrence.parse(listed.schedule.repeat)
    before = schedule.begins_at - timedelta(microseconds=1)
    times = recurrence.occurrences(repeat, schedule.time_zone, schedule.begins_at, before)
    due = list(takewhile(lambda at: at <= daemon.latest, times))
    *released, waiting = daemon.occurrences(answer.schedule_id)

    assert schedule.runs + schedule.missed == len(due)
    assert schedule.runs == len(released)
    assert len({message.send_at for message in released}) == len(released)
    assert {message.send_at for message in released} <= set(due)
    assert all(message.state is State.INITIATED for message in released)
    assert (waiting.state, waiting.send_at) == (State.SCHEDULED, listed.next_times[0])
    assert waiting.send_at == recurrence.next_after(repeat, schedule.time_zone, schedule.begins_at, daemon.latest)


DEEDS = st.sampled_from(["pause", "resume", "skip", "every 11m", "0 5 * * *", "Africa/Cairo", "Europe/Berlin"])


@pytest.mark.slow_because("50 schedules live through days")
@settings(max_examples=50, deadline=None)
@given(
    begin=st.sampled_from(CHANGES),
    plan=st.tuples(st.sampled_from(REPEATS), st.sampled_from(ZONES)),
    happenings=st.lists(st.one_of(HAPPENINGS, DEEDS), min_size=1, max_size=10),
)
def test_a_schedule_always_has_one_pending_message_and_never_repeats_a_time(
    migrated: Path, begin: str, plan: tuple[str, str], happenings: list[timedelta | str]
) -> None:
    with life(migrated, begin) as daemon:
        answer = daemon.accepts(new(*plan))
        assert isinstance(answer, Acceptance)
        for happening in happenings:
            do(daemon, answer, happening)
        messages = daemon.occurrences(answer.schedule_id or "")

        assert [message.state for message in messages].count(State.SCHEDULED) == 1
        released = [message.send_at for message in messages if message.state is State.INITIATED]
        assert len(set(released)) == len(released)
        assert sorted(daemon.deliveries()) == sorted(set(daemon.deliveries()))


def do(daemon: Life, answer: Acceptance, happening: timedelta | str) -> None:
    match happening:
        case timedelta():
            daemon.now += happening
        case "is killed":
            daemon.is_killed()
        case str():
            with daemon.transaction() as session:
                decide(session, answer.schedule_id or "", happening, now=daemon.now)
    daemon.releases()


def decide(session: Session, schedule_id: str, happening: str, *, now: datetime) -> None:
    waiting = queries.find(session, schedule_id).waiting
    assert waiting is not None
    match happening:
        case "pause":
            changes.pause(session, schedule_id, ANNA, now=now)
        case "resume":
            changes.resume(session, schedule_id, ANNA, now=now)
        case "skip":
            cancel.cancel_message(session, waiting.id, ANNA, now=now)
        case zone if zone in ZONES:
            changes.change(session, schedule_id, ANNA, now=now, time_zone=zone)
        case _:
            changes.change(session, schedule_id, ANNA, now=now, repeat=recurrence.parse(happening))


def test_a_message_to_everyone_ends_its_batch(migrated: Path) -> None:
    later = utc(CHANGES[0]) + timedelta(hours=1)
    with life(migrated, CHANGES[0]) as daemon:
        with daemon.transaction() as session:
            people.subscribe(session, "42", "Anna", now=daemon.now)
        for to in ("-1001", "subscribers", "-1002", "subscribers", "-1003"):
            assert isinstance(
                daemon.accepts(new(None, send_at=later)._replace(recipients=(recipient_of(to),))), Acceptance
            )
        daemon.now = later

        assert [daemon.releases_some(limit=10) for _ in range(4)] == [2, 2, 1, 0]


def test_a_time_too_far_ahead_is_refused(migrated: Path) -> None:
    with life(migrated, CHANGES[0]) as daemon:
        refused = daemon.accepts(new(None, send_at=daemon.now + MAX_AHEAD + timedelta(days=1)))
        accepted = daemon.accepts(new(None, send_at=daemon.now + MAX_AHEAD))

    assert isinstance(refused, NotifybotError)
    assert isinstance(accepted, Acceptance)


@pytest.mark.parametrize("repeat", ["whenever", "every 5s", "0 0 31 2 *"])
def test_an_invalid_repeat_is_refused(migrated: Path, repeat: str) -> None:
    with life(migrated, CHANGES[0]) as daemon:
        refused = daemon.accepts(new(repeat))

    assert isinstance(refused, NotifybotError)
    assert repeat in refused.detail


def test_a_message_with_a_dedup_key_cannot_be_scheduled(migrated: Path) -> None:
    with life(migrated, CHANGES[0]) as daemon:
        refused = daemon.accepts(new("@daily")._replace(dedup_key="disk"))

    assert isinstance(refused, NotifybotError)
