"""Count the figures of daily summaries in the database, for many readers at once.

A person's summary covers what their account sent and what was shown in their chat; a configured chat's covers all
messages. Those from notifybot itself are left out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    not_,
    select,
    text,
    union,
    union_all,
)
from sqlmodel import Session

from notifybot.messages.announce import OWN_SOURCES
from notifybot.model.actors import NOTIFYBOT
from notifybot.model.conditions import IS_OPEN
from notifybot.model.enums import DeliveryStatus
from notifybot.model.ids import first_id
from notifybot.model.messages import Delivery, Message
from notifybot.model.people import Person
from notifybot.model.states import State
from notifybot.rendering.parts import Appearance
from notifybot.rendering.plain import plain_text
from notifybot.storage.statements import table_of
from notifybot.summaries.facts import Arrivals, OpenAlert, Period, SummaryFacts, Tally
from notifybot.times.display import shorten

EVERYTHING = ""
"""The reader of a summary of all messages."""
MAX_OPEN_LISTED = 5
MAX_LINE_LENGTH = 80
MESSAGES, DELIVERIES, PEOPLE = table_of(Message), table_of(Delivery), table_of(Person)

_is_own = and_(MESSAGES.c.account == NOTIFYBOT, MESSAGES.c.source.in_(OWN_SOURCES))
_came_at = func.coalesce(MESSAGES.c.send_at, MESSAGES.c.created_at, type_=MESSAGES.c.created_at.type)
Readers = Collection[str] | None
"""Their user_ids; None for EVERYTHING."""
Conditions = tuple[ColumnElement[bool], ...]
"""Conditions on messages; a message meets at most one of them."""


def _has_delivery(status: DeliveryStatus) -> ColumnElement[bool]:
    return exists().where(DELIVERIES.c.message_id == MESSAGES.c.id, DELIVERIES.c.status == status)


_is_sent = _has_delivery(DeliveryStatus.SHOWN)
_is_waiting = and_(not_(_is_sent), _has_delivery(DeliveryStatus.WAITING))
_is_lost = (MESSAGES.c.state == State.FAILED) | _has_delivery(DeliveryStatus.FAILED)
_is_failed = and_(not_(_is_sent), not_(_is_waiting), _is_lost)
_is_expired = and_(
    MESSAGES.c.is_alert,
    MESSAGES.c.state == State.CLOSED,
    MESSAGES.c.closed_at >= MESSAGES.c.close_at,
    MESSAGES.c.acknowledged_at.is_(None),
    MESSAGES.c.resolved_at.is_(None),
)


def collect(
    session: Session, readers: Readers, period: Period, *, with_arrivals: bool = False
) -> dict[str, SummaryFacts]:
    """Return the facts of a period by reader: user_id, or EVERYTHING.

    `with_arrivals`: with the times at which messages came, for a chart.
    """
    this = _read_period(session, readers, period, with_arrivals=with_arrivals)
    before = _read_period(session, readers, period.before, with_arrivals=with_arrivals)
    still_open = _by_reader(session, _open(_scope(_is_open, readers)))
    found = _Collected(period, this, before, still_open)
    return {reader: found.of(reader) for reader in ([EVERYTHING] if readers is None else readers)}


RowsByReader = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class _PeriodRows:
    """The rows of one period."""

    counts: RowsByReader
    acknowledgements: RowsByReader
    arrivals: RowsByReader

    def tally(self, reader: str) -> Tally:
        counts = self.counts.get(reader, ())
        return Tally(
            sent=sum(row.sent for row in counts),
            alerts=sum(row.sent for row in counts if row.is_alert),
            waiting=sum(row.waiting for row in counts),
            failed=sum(row.failed for row in counts),
            expired=sum(row.expired for row in counts),
            acknowledged=len(self.acknowledgements.get(reader, ())),
        )

    def arrivals_of(self, reader: str) -> tuple[Arrivals, ...]:
        return tuple(Arrivals(row.step, row.count, row.is_alert) for row in self.arrivals.get(reader, ()))


@dataclass(frozen=True)
class _Collected:
    """All rows, for all readers."""

    period: Period
    this: _PeriodRows
    before: _PeriodRows
    still_open: RowsByReader

    def of(self, reader: str) -> SummaryFacts:
        counts, acknowledged = self.this.counts.get(reader, ()), self.this.acknowledgements.get(reader, ())
        still_open = self.still_open.get(reader, ())
        return SummaryFacts(
            period=self.period,
            tally=self.this.tally(reader),
            before=self.before.tally(reader),
            sources=_counted((row.source, row.count) for row in counts),
            events=_counted((row.event, row.count) for row in counts if row.event is not None),
            acknowledged_by=_counted((_name(row.acknowledged_by), 1) for row in acknowledged),
            median=median(row.acknowledged_at - row.came_at for row in acknowledged) if acknowledged else None,
            open=still_open[0].count if still_open else 0,
            oldest=tuple(OpenAlert(row.came_at, _line(row)) for row in still_open),
            arrivals=self.this.arrivals_of(reader),
            arrivals_before=self.before.arrivals_of(reader),
        )


def _read_period(session: Session, readers: Readers, period: Period, *, with_arrivals: bool) -> _PeriodRows:
    came = _scope(_came_in(period), readers)
    return _PeriodRows(
        counts=_by_reader(session, _counts(came)),
        acknowledgements=_by_reader(session, _acknowledgements(_scope(_acknowledged_in(period), readers))),
        arrivals=_by_reader(session, _arrivals(came, period)) if with_arrivals else {},
    )


def _by_reader(session: Session, query: Select[Any]) -> RowsByReader:
    found: dict[str, list[Any]] = {}
    for row in session.execute(query):
        found.setdefault(row.reader, []).append(row)
    return found


# Conditions


def _came_in(period: Period) -> Conditions:
    """Messages that were to be sent in this period: by their ids, or by `send_at` where they were scheduled."""
    is_wanted = (MESSAGES.c.state != State.CANCELLED, not_(_is_own))
    immediate = (
        MESSAGES.c.id >= first_id(period.begin),
        MESSAGES.c.id < first_id(period.end),
        MESSAGES.c.send_at.is_(None),
    )
    scheduled = (MESSAGES.c.send_at >= period.begin, MESSAGES.c.send_at < period.end, MESSAGES.c.send_at.is_not(None))
    return (and_(*immediate, *is_wanted), and_(*scheduled, MESSAGES.c.state != State.SCHEDULED, *is_wanted))


def _acknowledged_in(period: Period) -> Conditions:
    at = MESSAGES.c.acknowledged_at
    return (and_(at.is_not(None), at >= period.begin, at < period.end, not_(_is_own)),)


_is_open: Conditions = (and_(text(IS_OPEN), not_(_is_own)),)


def _scope(conditions: Conditions, readers: Readers) -> Subquery:
    """Pair each of these messages with each reader it concerns, as distinct `reader` and `id`.

    Messages are found first, then their readers: starting from people, SQLite would read all that their accounts ever
    sent, or the messages once per person.
    """
    found = union_all(*(select(MESSAGES.c.id, MESSAGES.c.account).where(each) for each in conditions))
    base = found.cte("base").prefix_with("MATERIALIZED")
    if readers is None:
        return select(literal_column("''").label("reader"), base.c.id).subquery("scope")
    reader, is_asked = PEOPLE.c.user_id.label("reader"), PEOPLE.c.user_id.concat("").in_(readers)  # past its index
    sent = select(reader, base.c.id).join(PEOPLE, PEOPLE.c.account == base.c.account).where(is_asked)
    is_shown = (DELIVERIES.c.message_id.in_(select(base.c.id)), DELIVERIES.c.status == DeliveryStatus.SHOWN)
    here = PEOPLE.c.chat_id == DELIVERIES.c.chat_id
    shown = select(reader, DELIVERIES.c.message_id).join_from(DELIVERIES, PEOPLE, here).where(*is_shown, is_asked)
    return union(sent, shown).subquery("scope")


# Queries


def _counts(scope: Subquery) -> Select[Any]:
    kinds = (scope.c.reader, MESSAGES.c.source, MESSAGES.c.event, MESSAGES.c.is_alert)
    numbers = {"sent": _is_sent, "waiting": _is_waiting, "failed": _is_failed, "expired": _is_expired}
    counts = [func.sum(case((is_one, 1), else_=0)).label(name) for name, is_one in numbers.items()]
    return (
        select(*kinds, func.count().label("count"), *counts).join_from(MESSAGES, scope, _is_in(scope)).group_by(*kinds)
    )


def _acknowledgements(scope: Subquery) -> Select[Any]:
    columns = (scope.c.reader, MESSAGES.c.acknowledged_by, MESSAGES.c.acknowledged_at, _came_at.label("came_at"))
    return select(*columns).join_from(MESSAGES, scope, _is_in(scope))


def _open(scope: Subquery) -> Select[Any]:
    """Select the oldest open alerts, each with the total."""
    columns = (scope.c.reader, MESSAGES.c.title, MESSAGES.c.content, MESSAGES.c.look, _came_at.label("came_at"))
    count = func.count().over(partition_by=scope.c.reader)
    place = func.row_number().over(partition_by=scope.c.reader, order_by=MESSAGES.c.id)
    ranked = select(*columns, count.label("count"), place.label("place")).join_from(MESSAGES, scope, _is_in(scope))
    found = ranked.subquery("ranked")
    return select(found).where(found.c.place <= MAX_OPEN_LISTED).order_by(found.c.place)


def _arrivals(scope: Subquery, period: Period) -> Select[Any]:
    """Count the messages per step, by their ids or by `send_at`."""
    immediate = [(MESSAGES.c.id < first_id(end), number) for number, end in enumerate(period.steps[1:])]
    scheduled = [(MESSAGES.c.send_at < end, number) for number, end in enumerate(period.steps[1:])]
    last = len(period.steps) - 1
    is_immediate = MESSAGES.c.send_at.is_(None)
    step = case((is_immediate, _first_of(immediate, last)), else_=_first_of(scheduled, last))
    each = (
        select(scope.c.reader, step.label("step"), MESSAGES.c.is_alert)
        .join_from(MESSAGES, scope, _is_in(scope))
        .subquery("arrivals")
    )
    return select(each, func.count().label("count")).group_by(*each.c)


def _first_of(steps: list[tuple[ColumnElement[bool], int]], otherwise: int) -> ColumnElement[int]:
    return case(*steps, else_=otherwise) if steps else literal(otherwise)


def _is_in(scope: Subquery) -> ColumnElement[bool]:
    return MESSAGES.c.id == scope.c.id


# Rows


def _counted(named: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Sum the counts by name, highest first, then by name."""
    counts: Counter[str] = Counter()
    for name, count in named:
        counts[name] += count
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _name(acknowledged_by: Mapping[str, Any] | None) -> str:
    known = acknowledged_by or {}
    return str(known.get("name") or known.get("account") or known.get("telegram_id") or NOTIFYBOT)


def _line(row: Any) -> str:
    """Return an alert's title or first line, in plain text."""
    shown = plain_text(row.title or row.content, None if row.title else Appearance.of(row.look).parse_mode)
    line = next((line.strip() for line in shown.splitlines() if line.strip()), "")
    return shorten(line, MAX_LINE_LENGTH)
