"""Statements that are compiled once and then run at the driver's own speed.

A delivery costs some twenty statements. Through the ORM each takes 60 to 130 µs, most of it spent on building the
statement anew; here it takes about 5. The price: nothing here flushes pending objects or refreshes loaded ones.
"""

import functools
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Enum,
    Float,
    Select,
    Table,
    TextualSelect,
    Update,
)
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

Convert = Callable[[Any], Any]
Parameters = Mapping[str, object]
Query = Select[Any] | TextualSelect | ReturningUpdate[Any]
VALUES_KEPT = 64
NOTHING: Parameters = {}
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""How many rows or values one statement takes: few sizes, so that few statements have to be compiled."""


def fetch(session: Session, query: Query, **parameters: object) -> list[Any]:
    """The rows of a query, or of what an UPDATE returns, as named tuples."""
    cursor, dialect = _cursor(session)
    plan = _plan(query, dialect)
    cursor.execute(plan.sql, plan.parameters(parameters))
    rows = _rows(query, dialect)
    return [rows.made_of(row) for row in cursor.fetchall()]


def run(session: Session, change: Update, **parameters: object) -> int:
    """Run an UPDATE; return how many rows it met."""
    cursor, dialect = _cursor(session)
    plan = _plan(change, dialect)
    cursor.execute(plan.sql, plan.parameters(parameters))
    return int(cursor.rowcount)


def run_many(session: Session, change: Update, parameters: Iterable[Parameters]) -> None:
    """Run the same change for each set of parameters."""
    cursor, dialect = _cursor(session)
    plan = _plan(change, dialect)
    if sets := [plan.parameters(each) for each in parameters]:
        cursor.executemany(plan.sql, sets)


def _cursor(session: Session) -> tuple[DBAPICursor, Dialect]:
    """A cursor of the driver within the session's transaction; its errors are the driver's own."""
    connection = session.bind if isinstance(session.bind, Connection) else session.connection()
    return connection.connection.cursor(), connection.dialect


def insert_rows(
    session: Session,
    table: type[SQLModel],
    rows: Sequence[Parameters],
    *,
    same: Parameters = NOTHING,
    skip_known: bool = False,
) -> None:
    """Insert rows that all name the same columns; `same`: what stands in every row besides. Columns that are left out
    get the table's defaults. `skip_known`: rows whose key is there already are left as they are.

    Many rows go into one statement: the driver gives way to other threads at each, and waits to get its turn back.
    """
    if not rows:
        return
    cursor, dialect = _cursor(session)
    plan = _insert_plan(table, dialect, tuple(rows[0]), tuple(same), skip_known)
    given = plan.given(same)
    for start in range(0, len(rows), SIZES[-1]):
        chunk = rows[start : start + SIZES[-1]]
        cursor.execute(plan.sql(len(chunk)), [*given, *plan.values(chunk)])


def padded(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Cut a list into pieces of few different lengths (SIZES) for IN (…), the last filled up by repeating its end."""
    for start in range(0, len(values), SIZES[-1]):
        piece = tuple(values[start : start + SIZES[-1]])
        yield piece + piece[-1:] * (_size(len(piece)) - len(piece))


@dataclass(frozen=True)
class _InsertPlan:
    """INSERT … SELECT what all rows have in common, what each has, FROM the rows. How the rows get there is what
    differs: PostgreSQL takes one array for each column, and SQLite, which has none, a list of few different lengths
    whose end is left out."""

    sql: Callable[[int], str]
    """By the number of rows."""
    columns: tuple[tuple[str, Convert | None], ...]
    same: tuple[tuple[str, Convert | None], ...]
    defaults: tuple[object, ...]
    takes_arrays: bool

    def given(self, same: Parameters) -> list[object]:
        return [*(_converted(convert, same[name]) for name, convert in self.same), *self.defaults]

    def values(self, rows: Sequence[Parameters]) -> Iterable[object]:
        columns = [_column(rows, name, convert) for name, convert in self.columns]
        if self.takes_arrays:
            return columns
        nothing = (None,) * (_size(len(rows)) - len(rows)) * len(columns)
        return chain(chain.from_iterable(zip(*columns, strict=True)), nothing)


def _column(rows: Sequence[Parameters], name: str, convert: Convert | None) -> list[object]:
    return [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]


def _size(count: int) -> int:
    return next(size for size in SIZES if size >= count)


@functools.cache
def _insert_plan(
    table: type[SQLModel], dialect: Dialect, names: tuple[str, ...], same: tuple[str, ...], skip_known: bool
) -> _InsertPlan:
    columns = table_of(table).columns
    converters = {column.name: _converter(column.type, dialect) for column in columns}
    defaults = {
        column.name: _converted(converters[column.name], column.default.arg)
        for column in columns
        if column.name not in (*names, *same) and isinstance(column.default, ScalarElementColumnDefault)
    }
    is_sqlite = dialect.name == "sqlite"
    kinds = {column.name: column.type.compile(dialect) for column in columns}
    given = [*same, *defaults]
    places = ["?" if is_sqlite else f"%s::{kinds[name]}" for name in given]
    head = (
        f"INSERT INTO {table.__tablename__} ({', '.join([*given, *names])}) SELECT {', '.join([*places, 'row.*'])} FROM"
    )
    tail = " ON CONFLICT DO NOTHING" if skip_known else ""
    arrays = ", ".join(f"%s::{kinds[name]}[]" for name in names)

    @functools.cache
    def sql(size: int) -> str:
        marks = f"({', '.join('?' * len(names))})"
        return f"{head} (VALUES {', '.join([marks] * size)}) AS row WHERE row.column1 IS NOT NULL{tail}"

    return _InsertPlan(
        sql=(lambda count: sql(_size(count))) if is_sqlite else lambda _: f"{head} unnest({arrays}) AS row{tail}",
        columns=tuple((name, converters[name]) for name in names),
        same=tuple((name, converters[name]) for name in same),
        defaults=tuple(defaults.values()),
        takes_arrays=not is_sqlite,
    )


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """How values of this type become the driver's. The rows of a batch hold the same few moments and states: each is
    converted once."""
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return functools.lru_cache(VALUES_KEPT)(convert) if convert and isinstance(kind, UTCDateTime | Enum) else convert


@dataclass(frozen=True)
class _Plan:
    """SQL for the driver, and for each of its places a parameter with its conversion, or a constant."""

    sql: str
    places: tuple[tuple[str, Convert | None], ...]
    constants: Mapping[str, object]
    is_positional: bool

    def parameters(self, given: Parameters) -> Any:
        values = [
            self.constants[name] if name in self.constants else given[name] if convert is None else convert(given[name])
            for name, convert in self.places
        ]
        return (
            tuple(values) if self.is_positional else dict(zip((name for name, _ in self.places), values, strict=True))
        )


@functools.cache
def _plan(statement: Query | Update, dialect: Dialect) -> _Plan:
    compiled: Any = statement.compile(dialect=dialect)
    if "POSTCOMPILE" in compiled.string:
        raise TypeError(f"a prepared statement cannot have a list of unknown length: {compiled.string}")
    names = compiled.positiontup if compiled.positional else list(compiled.params)
    binds: dict[str, BindParameter[Any]] = {name: compiled.binds[name] for name in names}
    converters = {name: _converter(bind.type, dialect) for name, bind in binds.items()}
    constants = {name: _converted(converters[name], bind.value) for name, bind in binds.items() if not bind.required}
    places = tuple((name, converters[name]) for name in names)
    return _Plan(compiled.string, places, constants, bool(compiled.positional))


def _converted(convert: Convert | None, value: object) -> object:
    return value if convert is None else convert(value)


@dataclass(frozen=True)
class _Rows:
    """Makes named tuples of what the driver returns."""

    kind: Callable[..., Any]
    conversions: tuple[tuple[int, Convert], ...]

    def made_of(self, row: Sequence[Any]) -> Any:
        values = list(row)
        for place, convert in self.conversions:
            values[place] = convert(values[place])
        return self.kind(*values)


@functools.cache
def _rows(query: Query, dialect: Dialect) -> _Rows:
    columns = list(query.exported_columns.items())
    converters = [_from_driver(column.type, dialect) for _, column in columns]
    conversions = tuple((place, convert) for place, convert in enumerate(converters) if convert is not None)
    return _Rows(namedtuple("Row", [str(name) for name, _ in columns]), conversions)


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if isinstance(kind, Float):
        return None  # both drivers give floats; for PostgreSQL, SQLAlchemy would first ask for the server's type
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements that are built once and run past the session."""
    return model.metadata.tables[str(model.__tablename__)]


def affected(session: Session, statement: Update | Delete) -> int:
    """Run an UPDATE or DELETE; return how many rows it met. Objects already loaded are not brought up to date."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
