"""Import sources: files and tables of other programs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from notifybot.cli.import_sources import read_source
from notifybot.cli.parser import UsageError
from tests.postgres.server import Server
from tests.support.databases import PostgresStore

WHEN = "2024-05-06T07:08:09+00:00"


def written(folder: Path, document: object) -> str:
    path = folder / "source.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_file_of_accounts_and_their_chats(tmp_path: Path) -> None:
    document = {"alice": {"chat_id": 7, "linked_at": "2024-05-06T07:08:09"}, "bob": {"chat_id": "8"}, "carol": 9}

    found = read_source(written(tmp_path, document))

    assert found.people == (
        {"chat_id": "7", "account": "alice", "linked_at": WHEN},
        {"chat_id": "8", "account": "bob"},
        {"chat_id": "9", "account": "carol"},
    )
    assert found.codes == ()


@pytest.mark.parametrize("when", ["2024-05-06T07:08:09Z", "2024-05-06T09:08:09+02:00", 1714979289, 1714979289.0])
def test_times_are_read_as_programs_write_them(tmp_path: Path, when: object) -> None:
    found = read_source(written(tmp_path, {"alice": {"chat_id": 7, "linked_at": when}}))

    assert found.people[0]["linked_at"] == WHEN


def test_a_file_of_pending_codes(tmp_path: Path) -> None:
    document = {
        "012345": {"chat_id": 7, "expires_at": "2024-05-06T07:08:09"},
        "543210": {"chat_id": 8, "created_at": "2024-05-06T06:58:09Z"},
    }

    found = read_source(written(tmp_path, document))

    assert found.people == ()
    assert found.codes == (
        {"code": "012345", "chat_id": "7", "expires_at": WHEN},
        {"code": "543210", "chat_id": "8", "expires_at": WHEN},
    )


def test_an_account_of_six_digits_is_not_a_code(tmp_path: Path) -> None:
    found = read_source(written(tmp_path, {"123456": {"chat_id": 7, "linked_at": WHEN}}))

    assert found.people == ({"chat_id": "7", "account": "123456", "linked_at": WHEN},)


def test_people_and_codes_in_one_file(tmp_path: Path) -> None:
    code = {"chat_id": 8, "expires_at": WHEN}
    document = {"linked": {"alice": {"chat_id": 7}}, "pending_codes": {"012345": code}}

    found = read_source(written(tmp_path, document))

    assert [person["account"] for person in found.people] == ["alice"]
    assert [each["code"] for each in found.codes] == ["012345"]


def test_a_list_of_people(tmp_path: Path) -> None:
    found = read_source(written(tmp_path, [{"username": "alice", "chat_id": 7, "first_name": "Alice"}]))

    assert found.people == ({"chat_id": "7", "chat_name": "Alice", "account": "alice"},)


def sqlite_file(folder: Path, *rows: tuple[str, int, str, str]) -> str:
    path = folder / "old.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE subscribed_users (user_id TEXT, chat_id INTEGER, chat_name TEXT, created_at)")
        connection.executemany("INSERT INTO subscribed_users VALUES (?, ?, ?, ?)", rows)
    return str(path)


def test_a_sqlite_table_keeps_its_user_ids_and_is_not_changed(tmp_path: Path) -> None:
    source = sqlite_file(tmp_path, ("u-1", 7, "anna", "2024-05-06 07:08:09"))
    before = Path(source).read_bytes()

    for name in (source, f"sqlite:///{source}"):
        (person,) = read_source(name).people
        assert person == {"chat_id": "7", "user_id": "u-1", "chat_name": "anna", "created_at": WHEN}
    assert Path(source).read_bytes() == before


def test_a_table_in_postgresql(postgres: Server) -> None:
    store = PostgresStore(postgres, postgres.create())
    store.rows("CREATE TABLE subscribed_users (user_id UUID, chat_id BIGINT, chat_name TEXT, created_at TIMESTAMP)")
    user_id = "0d6c8a52-7a55-4c1e-9d5c-2f1d1a3b5c7d"
    store.rows(f"INSERT INTO subscribed_users VALUES ('{user_id}', 7000000000, 'anna', '2024-05-06 07:08:09')")
    try:
        (person,) = read_source(store.url.replace("postgresql+psycopg", "postgresql")).people
    finally:
        store.drop()

    assert person == {"chat_id": "7000000000", "user_id": user_id, "chat_name": "anna", "created_at": WHEN}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not json", "neither JSON nor a SQLite file"),
        (b"\xff\xfe", "neither JSON nor a SQLite file"),
        (b"7", "expected an object of people, or a list of people"),
        (b'{"alice": true}', "expected an object"),
        (b'{"alice": {"chat_id": null}}', "a person has no chat_id"),
        (b'[{"username": "alice"}]', "a person has no chat_id"),
        (b'{"alice": {"chat_id": 7, "linked_at": "yesterday"}}', "'yesterday' is not a time"),
        (b'{"alice": {"chat_id": 7, "linked_at": true}}', "True is not a time"),
        (b'{"alice": {"chat_id": 7, "linked_at": 1e300}}', "is not a time"),
        (b'{"012345": {"chat_id": 7}}', "has neither expires_at nor created_at"),
    ],
)
def test_an_unreadable_source_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)

    with pytest.raises(UsageError, match=why):
        read_source(str(source))


def test_a_file_that_is_missing_and_a_database_without_the_table_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_source(str(tmp_path / "missing"))
    empty = tmp_path / "empty.db"
    with closing(sqlite3.connect(empty)) as connection, connection:
        connection.execute("CREATE TABLE other (x)")
    with pytest.raises(UsageError, match="no such table: subscribed_users"):
        read_source(str(empty))


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(UsageError) as refusal:
        read_source("postgresql://user:secret@127.0.0.1:1/old")

    assert "secret" not in str(refusal.value)
