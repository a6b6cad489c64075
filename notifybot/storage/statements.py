"""Statements that are compiled once and then run at the speed of the driver.

A delivery takes about twenty statements. Through the ORM each takes 60 to 130 µs, most of it to build the statement
again; here it takes about 5. The price: nothing here flushes pending objects or refreshes loaded ones.
"""

import functools
import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Enum,
    Float,
    Insert,
    Select,
    String,
    Table,
    TextClause,
    TextualSelect,
    TypeDecorator,
    Update,
    bindparam,
)
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

Convert = Callable[[Any], Any]
Parameters = Mapping[str, object]
Query = Select[Any] | TextualSelect | ReturningUpdate[Any]
Change = Insert | Update | Delete | TextClause
VALUES_KEPT = 64
NOTHING: Parameters = {}
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Numbers of rows that one INSERT takes on SQLite: few, so that few statements have to be compiled."""


def fetch(session: Session, query: Query, **parameters: object) -> list[Any]:
    """Return the rows of a query, or of UPDATE … RETURNING, as named tuples."""
    cursor, dialect = _cursor(session)
    plan = _plan(query, dialect)
    cursor.execute(plan.sql, plan.parameters(parameters))
    rows = _rows(query, dialect)
    return [rows.convert_row(row) for row in cursor.fetchall()]


def run(session: Session, change: Change, **parameters: object) -> int:
    """Run a statement that returns no rows; return the number of matched rows."""
    cursor, dialect = _cursor(session)
    plan = _plan(change, dialect)
    cursor.execute(plan.sql, plan.parameters(parameters))
    return int(cursor.rowcount)


def run_many(session: Session, change: Update, parameters: Iterable[Parameters]) -> None:
    """Run the same UPDATE once for each set of parameters."""
    cursor, dialect = _cursor(session)
    plan = _plan(change, dialect)
    if sets := [plan.parameters(each) for each in parameters]:
        cursor.executemany(plan.sql, sets)


def _cursor(session: Session) -> tuple[DBAPICursor, Dialect]:
    """Return a driver cursor inside the session's transaction. It raises the driver's own errors."""
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
    """Insert rows that all have the same columns. `same`: more columns, with one value for every row.

    Other columns get the table's defaults. `skip_known`: skip rows whose key exists. Many rows share a statement, since
    the driver releases the interpreter lock for each statement and then waits to get it back.
    """
    if not rows:
        return
    cursor, dialect = _cursor(session)
    plan = _insert_plan(table, dialect, tuple(rows[0]), tuple(same), skip_known)
    given = plan.given(same)
    for start in range(0, len(rows), SIZES[-1]):
        chunk = rows[start : start + SIZES[-1]]
        cursor.execute(plan.sql(len(chunk)), [*given, *plan.values(chunk)])


class _TextList(TypeDecorator[Sequence[str]]):
    """A list of texts as one parameter: an array on PostgreSQL, JSON on SQLite, which has no arrays."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String()))

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" else value


class _InList(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        return self  # without this, SQLAlchemy compares it with 1 on SQLite, which then uses no index


@compiles(_InList)
def _as_any(element: _InList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_InList, "sqlite")
def _as_in(element: _InList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


def in_list(column: Column[Any], parameter: str) -> ColumnElement[bool]:
    """Match a text column against a list of any length, given as one `parameter` when the statement runs."""
    return _InList(column, bindparam(parameter, type_=_TextList()))


@dataclass(frozen=True)
class _InsertPlan:
    """INSERT … SELECT <same columns>, row.* FROM <rows>.

    PostgreSQL takes the rows as one array for each column. SQLite has no arrays: it takes a VALUES list in one of
    SIZES, filled up with nulls that are filtered out.
    """

    sql: Callable[[int], str]
    """Returns the statement for this number of rows."""
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
    from_values = _from_values(head, len(names), tail)
    return _InsertPlan(
        sql=from_values if is_sqlite else lambda _: f"{head} unnest({arrays}) AS row{tail}",
        columns=tuple((name, converters[name]) for name in names),
        same=tuple((name, converters[name]) for name in same),
        defaults=tuple(defaults.values()),
        takes_arrays=not is_sqlite,
    )


def _from_values(head: str, columns: int, tail: str) -> Callable[[int], str]:
    marks = f"({', '.join('?' * columns)})"

    @functools.cache
    def sql(size: int) -> str:
        return f"{head} (VALUES {', '.join([marks] * size)}) AS row WHERE row.column1 IS NOT NULL{tail}"

    return lambda count: sql(_size(count))


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return the conversion of this type for the driver. The rows of a batch share few times and states, so those are
    cached."""
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return functools.lru_cache(VALUES_KEPT)(convert) if convert and isinstance(kind, UTCDateTime | Enum) else convert


@dataclass(frozen=True)
class _Plan:
    """SQL for the driver, and for each placeholder a parameter with its conversion, or a constant."""

    sql: str
    placeholders: tuple[tuple[str, Convert | None], ...]
    constants: Mapping[str, object]
    is_positional: bool

    def parameters(self, given: Parameters) -> Any:
        values = [
            self.constants[name] if name in self.constants else given[name] if convert is None else convert(given[name])
            for name, convert in self.placeholders
        ]
        if self.is_positional:
            return tuple(values)
        return dict(zip((name for name, _ in self.placeholders), values, strict=True))


@functools.cache
def _plan(statement: Query | Change, dialect: Dialect) -> _Plan:
    compiled: Any = statement.compile(dialect=dialect)
    if "POSTCOMPILE" in compiled.string:
        raise TypeError(f"a prepared statement takes a list with in_list, not with in_: {compiled.string}")
    names = compiled.positiontup if compiled.positional else list(compiled.params)
    binds: dict[str, BindParameter[Any]] = {name: compiled.binds[name] for name in names}
    converters = {name: _converter(bind.type, dialect) for name, bind in binds.items()}
    constants = {name: _converted(converters[name], bind.value) for name, bind in binds.items() if not bind.required}
    placeholders = tuple((name, converters[name]) for name in names)
    return _Plan(compiled.string, placeholders, constants, bool(compiled.positional))


def _converted(convert: Convert | None, value: object) -> object:
    return value if convert is None else convert(value)


@dataclass(frozen=True)
class _Rows:
    """Converts rows of the driver to named tuples."""

    kind: Callable[..., Any]
    conversions: tuple[tuple[int, Convert], ...]

    def convert_row(self, row: Sequence[Any]) -> Any:
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
        return None  # both drivers return floats; for PostgreSQL, SQLAlchemy would first look up the server's type
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model, for statements that bypass the session."""
    return model.metadata.tables[str(model.__tablename__)]


def affected(session: Session, statement: Update | Delete) -> int:
    """Run an UPDATE or DELETE; return the number of matched rows. Loaded objects are not refreshed."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
