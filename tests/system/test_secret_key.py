"""The secret key: created once, readable only by its user, refused if damaged."""

import stat
from pathlib import Path

import pytest

from notifybot.errors import StartRefused
from notifybot.system import secret_key
from notifybot.system.secret_key import SecretKey


def test_the_key_is_created_once_and_readable_only_by_its_user(tmp_path: Path) -> None:
    first = secret_key.keep(tmp_path / "data")
    again = secret_key.keep(tmp_path / "data")

    assert first == again
    assert stat.S_IMODE((tmp_path / "data" / secret_key.FILE).stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == [secret_key.FILE]


def test_a_partial_key_from_a_killed_start_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.new").write_bytes(b"half")

    assert len(secret_key.keep(tmp_path).key) == secret_key.KEY_BYTES


def test_every_installation_has_a_key_of_its_own(tmp_path: Path) -> None:
    one, other = secret_key.keep(tmp_path / "one"), secret_key.keep(tmp_path / "other")

    assert one.digest("code", "123456") != other.digest("code", "123456")


def test_a_code_and_a_token_with_equal_text_have_different_hashes() -> None:
    key = SecretKey(bytes(32))

    assert key.digest("code", "123456") != key.digest("token", "123456")


def test_the_repr_does_not_show_the_key() -> None:
    assert "SECRET" not in repr(SecretKey(b"SECRET"))


def test_a_damaged_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / secret_key.FILE).write_bytes(b"short")

    with pytest.raises(StartRefused, match="is damaged"):
        secret_key.keep(tmp_path)


def test_a_folder_where_no_key_can_be_created_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")

    with pytest.raises(StartRefused, match="Cannot read or create"):
        secret_key.keep(tmp_path / "data")
