"""Readers for `notifybot import`: JSON files, and a table `subscribed_users` in SQLite or PostgreSQL."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notifybot.cli.parser import UsageError
from notifybot.client.record import record
from notifybot.times.timestamps import parse_timestamp

TABLE = "subscribed_users"
SQLITE_MAGIC = b"SQLite format 3\x00"
CODE_VALID_FOR = timedelta(minutes=10)
ACCOUNT_KEYS = ("account", "username", "user", "login")
EXPIRY_KEYS, CREATION_KEYS = ("expires_at", "expires"), ("created_at", "timestamp", "created")
Row = Mapping[str, object]
Json = dict[str, object]


@record()
class ImportData:
    """People and codes in the shape of POST /api/admin/import."""

    people: tuple[Json, ...]
    codes: tuple[Json, ...]


def read_source(source: str) -> ImportData:
    """Read a JSON file, a SQLite file, or a database at a postgresql:// URL. Raises UsageError."""
    if source.startswith(("postgresql://", "postgres://")):
        return _from_table(_postgresql_rows(source), "the table")
    path = Path(source.removeprefix("sqlite:///"))
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        return _from_table(_sqlite_rows(path), source) if is_sqlite else _from_json(path.read_bytes(), source)
    except OSError as error:
        raise _unusable(source, error.strerror or str(error)) from error


def _unusable(source: str, why: str) -> UsageError:
    return UsageError(f"Cannot import {source}: {why}.", hint="`notifybot import --help` lists the formats.")


# Tables


def _sqlite_rows(path: Path) -> list[Row]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {TABLE}")]
    except sqlite3.Error as error:
        raise _unusable(str(path), str(error)) from error


def _postgresql_rows(url: str) -> list[Row]:
    try:
        import psycopg
        from psycopg.rows import dict_row
    except ImportError as error:
        hint = "Install notifybot with the extra `postgres`."
        raise UsageError("PostgreSQL's driver is not installed.", hint=hint) from error
    try:
        with psycopg.connect(url, connect_timeout=10, row_factory=dict_row) as connection:
            connection.read_only = True
            return list(connection.execute(f"SELECT * FROM {TABLE}"))
    except psycopg.Error as error:
        raise _unusable("the database", str(error).splitlines()[0]) from error


def _from_table(rows: Iterable[Row], source: str) -> ImportData:
    return ImportData(tuple(_person(row, None, source) for row in rows), ())


# JSON


def _from_json(content: bytes, source: str) -> ImportData:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _unusable(source, "it is neither JSON nor a SQLite file") from error
    people: list[Json] = []
    codes: list[Json] = []
    _collect(document, source, people, codes)
    return ImportData(tuple(people), tuple(codes))


def _collect(document: object, source: str, people: list[Json], codes: list[Json]) -> None:
    """Collect people from a list, or people by account and codes from an object, at any depth."""
    if isinstance(document, list):
        people += [_person(_row(each, source), None, source) for each in document]
        return
    for name, value in _row(document, source).items():
        if isinstance(value, Mapping) and "chat_id" in value:
            if _is_code(name, value):
                codes.append(_code(name, value, source))
            else:
                people.append(_person(value, name, source))
        elif isinstance(value, str | int) and not isinstance(value, bool):
            people.append(_person({"chat_id": value}, name, source))
        else:
            _collect(value, source, people, codes)


def _row(value: object, source: str) -> Row:
    if not isinstance(value, Mapping):
        raise _unusable(source, "expected an object of people, or a list of people")
    return value


def _is_code(name: str, value: Row) -> bool:
    return len(name) == 6 and name.isascii() and name.isdigit() and "linked_at" not in value


def _code(name: str, value: Row, source: str) -> Json:
    expires_at = _first(value, EXPIRY_KEYS)
    created_at = _first(value, CREATION_KEYS)
    if expires_at is None and created_at is None:
        raise _unusable(source, f"the code for the chat {value['chat_id']} has neither expires_at nor created_at")
    until = _moment(expires_at, source) if expires_at is not None else _moment(created_at, source) + CODE_VALID_FOR
    return {"code": name, "chat_id": _chat(value, source), "expires_at": until.isoformat()}


# Both


def _person(row: Row, account: str | None, source: str) -> Json:
    found: Json = {
        "chat_id": _chat(row, source),
        "user_id": _text(_first(row, ("user_id", "id"))),
        "chat_name": _text(_first(row, ("chat_name", "first_name", "name"))),
        "account": account or _text(_first(row, ACCOUNT_KEYS)),
    }
    for name in ("created_at", "linked_at"):
        value = row.get(name)
        found[name] = None if value is None else _moment(value, source).isoformat()
    return {name: value for name, value in found.items() if value is not None}


def _chat(row: Row, source: str) -> str:
    value = row.get("chat_id")
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise _unusable(source, "a person has no chat_id")
    return str(value).strip()


def _first(row: Row, names: Iterable[str]) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _text(value: object) -> str | None:
    return None if value is None or not str(value).strip() else str(value).strip()


def _moment(value: object, source: str) -> datetime:
    """Read a time: ISO 8601 (UTC without an offset), seconds since 1970, or a datetime from the driver."""
    try:
        moment = _read_moment(value)
    except (ValueError, OverflowError, OSError) as error:
        raise _unusable(source, f"{value!r} is not a time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_moment(value: object) -> datetime:
    match value:
        case datetime():
            return value
        case str():
            return parse_timestamp(value)
        case int() | float() if not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    raise ValueError
