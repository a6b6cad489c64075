"""Modes of the daemon's files: a table of what exists while it runs, under any umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifybot.app import daemon
from notifybot.config import load
from notifybot.errors import StartRefused
from notifybot.system.private_files import PrivateFiles
from notifybot.times.clock import Clock

MODES = {
    "data": 0o700,
    "data/notifybot.sqlite3": 0o600,
    "data/notifybot.sqlite3-wal": 0o600,
    "data/notifybot.sqlite3-shm": 0o600,
    "data/notifybot.sqlite3.lock": 0o600,
    "data/notifybot.sqlite3.upgrade-lock": 0o600,
    "data/secret.key": 0o600,
    "data/databases": 0o600,
    "data/under-way": 0o600,
    "run": 0o755,
    "run/s": 0o660,
}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"data_dir: {tmp_path}/data\nsocket: {{path: {tmp_path}/run/s}}\n")
    return path


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


async def test_only_the_daemons_user_opens_its_files(tmp_path: Path, config: Path, umask: int) -> None:
    """Files that SQLite creates take the mode of the database."""
    async with daemon(load(config, {}), Clock(), []):
        found = {name: mode_of(tmp_path / name) for name in MODES}
    assert {name: f"{mode:o}" for name, mode in found.items()} == {name: f"{mode:o}" for name, mode in MODES.items()}


async def test_a_start_closes_what_was_open(tmp_path: Path, config: Path) -> None:
    async with daemon(load(config, {}), Clock(), []):
        pass
    (tmp_path / "data" / "attachments").mkdir(exist_ok=True)
    opened = [name for name in MODES if name.startswith("data") and (tmp_path / name).exists()]
    for name in (*opened, "data/attachments"):
        (tmp_path / name).chmod(0o777)

    async with daemon(load(config, {}), Clock(), []):
        assert {name: mode_of(tmp_path / name) for name in opened} == {name: MODES[name] for name in opened}
        assert mode_of(tmp_path / "data" / "attachments") == 0o700


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o000, 0o640, 0o604, 0o644, 0o666, 0o611])
def test_a_file_is_exposed_if_anybody_else_may_open_it(tmp_path: Path, mode: int) -> None:
    (tmp_path / "secret.key").touch(mode)
    (tmp_path / "secret.key").chmod(mode)
    tmp_path.chmod(0o700)
    exposed = PrivateFiles(tmp_path, None, Path("/run/s")).exposed()
    assert exposed == ([tmp_path / "secret.key"] if mode & 0o077 else [])


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    other.chmod(0o644)
    folder = tmp_path / "data"
    folder.mkdir(0o700)
    (folder / "secret.key").symlink_to(other)

    PrivateFiles(folder, None, Path("/run/s")).protect()

    assert mode_of(other) == 0o644


def test_callers_pass_through_the_folder_to_a_socket_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    PrivateFiles(tmp_path, None, tmp_path / "s").protect()
    assert mode_of(tmp_path) == 0o711


@pytest.mark.parametrize("leave", ["nothing", "an empty file"])
async def test_a_database_that_is_suddenly_empty_is_refused(tmp_path: Path, config: Path, leave: str) -> None:
    async with daemon(load(config, {}), Clock(), []):
        pass
    for file in (tmp_path / "data").glob("notifybot.sqlite3*"):
        file.unlink()
    if leave == "an empty file":
        (tmp_path / "data" / "notifybot.sqlite3").touch()

    with pytest.raises(StartRefused, match="is empty") as refused:
        async with daemon(load(config, {}), Clock(), []):
            pass

    assert refused.value.hint is not None
    assert str(tmp_path / "data" / "databases") in refused.value.hint
    (tmp_path / "data" / "databases").unlink()
    async with daemon(load(config, {}), Clock(), []):
        pass
