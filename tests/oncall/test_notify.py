"""Random rotations, overrides, restarts and clock changes: each new shift notifies once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import pytest
from sqlmodel import Session, col, select

from notifybot.messages.announce import ON_CALL
from notifybot.model.enums import EventKind
from notifybot.model.messages import Message, TimelineEvent
from notifybot.oncall import changes, notify
from notifybot.oncall.changes import Editor, NewOverride
from notifybot.recipients.directory import Directory, flattened, rotating_names
from notifybot.rotations import rotation
from notifybot.rotations.rotation import Hours, Override, Reason, Rotation
from notifybot.storage.database import Database

BEGINNING = datetime(2026, 3, 27, 12, tzinfo=UTC)
CHATS = ["-1001", "-1002", "-1003", "-1004"]
HANDOVERS = ["0 9 * * mon", "30 2 * * *", "0 8,20 * * *", "0 * * * *", "0 0 1 * *"]
ZONES = ["Europe/Berlin", "America/New_York", "Africa/Cairo", "UTC"]
ROOT = Editor("account:root", "root", frozenset(), is_admin=True)


def random_rota(chance: random.Random) -> Rotation:
    times = [time(0), time(2, 30), time(8), time(18)]
    weekdays = frozenset(chance.sample(range(7), chance.randint(1, 7)))
    hours = [Hours(weekdays, chance.choice(times), chance.choice(times)) for _ in range(chance.randint(0, 2))]
    return Rotation(
        tuple(chance.choices(CHATS, k=chance.randint(1, 5))),
        date(2026, 3, chance.randint(1, 31)),
        chance.choice(HANDOVERS),
        chance.choice(ZONES),
        tuple(hours),
        tuple(chance.sample(CHATS, chance.randint(0, 1))),
    )


def directory_of(rota: Rotation) -> Directory:
    names = {"duty": (*rota.members, *rota.otherwise), "all": tuple(CHATS)}
    return Directory(flattened(names, {}), rotations={"duty": rota}, rotating=rotating_names(names, {"duty": rota}))


@dataclass
class Model:
    """A model: the person on call is notified if someone else was notified last."""

    rota: Rotation
    overrides: list[Override] = field(default_factory=list)
    last: tuple[str, ...] = ()
    told_at: datetime = BEGINNING - timedelta(days=1)
    told: list[str] = field(default_factory=list)

    def look(self, now: datetime) -> None:
        duty = rotation.on_call_at(self.rota, self.overrides, now)
        if now < self.told_at or duty.reason is Reason.OTHERWISE or duty.members == self.last:
            return
        self.last, self.told_at = duty.members, now
        self.told += duty.members


def tick(session: Session, directory: Directory, now: datetime) -> None:
    """Run the job as jobs/oncall.py does."""
    if notify.is_outdated(session, directory, now=now):
        notify.sync_rotations(session, directory, now=now)
    while notify.SHIFT_CHANGES.longest_overdue(session, now=now) is not None:
        notify.notify_due(session, directory=directory, now=now, limit=10)


def told(session: Session) -> Sequence[str]:
    """Chats that were notified of a shift, in order."""
    accepted = select(Message.recipients, Message.content).join(TimelineEvent)
    of_turns = accepted.where(Message.source == ON_CALL, TimelineEvent.event == EventKind.ACCEPTED)
    in_order = session.exec(of_turns.order_by(col(TimelineEvent.id)))
    return [names[0] for names, content in in_order if content.startswith("You are on call")]


def _runs(override: Override, now: datetime) -> bool:
    return override.starts_at <= now < override.ends_at


@pytest.mark.parametrize("seed", range(25))
async def test_each_change_notifies_once_whatever_happens(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    model = Model(random_rota(chance))
    directory, now = directory_of(model.rota), BEGINNING

    def stand_in(session: Session) -> None:
        span = timedelta(minutes=chance.randint(1, 600))
        begins = now + chance.choice([timedelta(), timedelta(minutes=chance.randint(1, 300))])
        made = changes.add_override(
            session, NewOverride("duty", chance.choice(CHATS), begins, begins + span), ROOT, directory, now=now
        )
        if made.starts_at == now:
            model.overrides = [each for each in model.overrides if each.member != made.member or not _runs(each, now)]
        model.overrides.append(Override(made.id, made.member, made.starts_at, made.ends_at, made.created_at))

    for _ in range(60):
        await database.write(partial(tick, directory=directory, now=now))
        model.look(now)
        if chance.random() < 0.1:
            await database.write(stand_in)
        # No moment occurs twice: the order of overrides made at the same moment is random.
        now += timedelta(minutes=chance.choice([1, 20, 45, 300, 1500, -chance.randint(1, 60)]), microseconds=1)

    assert list(await database.read(told)) == model.told
    assert all(before != after for before, after in zip(model.told, model.told[1:], strict=False))
