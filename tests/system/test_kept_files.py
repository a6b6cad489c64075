"""Files that are removed or replaced under a running daemon."""

import asyncio
import base64
import contextlib
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from notifybot.errors import StartRefused
from notifybot.storage.same_file import RESCUED
from notifybot.storage.sqlite import sqlite_path
from notifybot.system.locks import hold_file
from tests.support.door import Door, door

PICTURE = base64.b64encode(b"a file").decode()


def data(opened: Door, name: str) -> Path:
    """Return a path below data_dir. `DB` stands for the database; skip the test without one."""
    return opened.daemon.runtime.config.data_dir / name.replace("DB", database_of(opened).name if "DB" in name else "")


def database_of(opened: Door) -> Path:
    path = sqlite_path(opened.daemon.runtime.config.database.url)
    if path is None:
        pytest.skip("PostgreSQL has no file of ours")
    return path


async def check(opened: Door) -> tuple[str, ...]:
    await opened.daemon.runtime.kept_files.check()
    return opened.daemon.runtime.kept_files.troubles


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"something else, and long enough for a key")
    other.replace(path)


MADE_AGAIN: list[tuple[str, Callable[[Path], None]]] = [
    ("secret.key", Path.unlink),
    ("secret.key", replace),
    ("attachments", shutil.rmtree),
    ("DB.lock", Path.unlink),
    ("DB.lock", replace),
    ("../run/s", Path.unlink),
    ("../run", shutil.rmtree),
]


@pytest.mark.parametrize(("name", "happens"), MADE_AGAIN)
async def test_a_lost_file_is_made_again(folder: Path, name: str, happens: Callable[[Path], None]) -> None:
    async with door(folder, f"socket: {{path: {folder}/run/s}}") as opened:
        key = data(opened, "secret.key").read_bytes()

        happens(data(opened, name))

        assert await check(opened) == ()
        assert (await opened.ingest()).status == 202
        assert (await opened.ingest(type="document", content=PICTURE)).status == 202
        assert data(opened, "secret.key").read_bytes() == key
        if "lock" in name:
            with pytest.raises(StartRefused, match="Another daemon"):
                hold_file(data(opened, name))


async def test_a_removed_socket_is_back_within_five_seconds(folder: Path) -> None:
    async with door(folder) as opened:
        opened.path.unlink()
        async with asyncio.timeout(5):
            while not opened.path.is_socket():  # noqa: ASYNC110  nothing tells of a new file
                await asyncio.sleep(0.05)
        assert (await opened.ingest()).status == 202


async def test_callers_that_are_connected_stay_so_when_the_socket_is_made_again(folder: Path) -> None:
    async with door(folder) as opened, opened.connection() as line:
        await line.say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await line.answer()
        opened.path.unlink()
        await check(opened)
        await line.say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await line.answer()).status == 200


async def test_a_socket_that_cannot_be_made_again_is_reported_until_it_can(folder: Path) -> None:
    async with door(folder) as opened:
        opened.path.unlink()
        opened.path.write_text("a file")
        (trouble,) = await check(opened)
        assert f"Cannot create the socket {opened.path}" in trouble
        opened.path.unlink()
        assert await check(opened) == ()
        assert (await opened.ingest()).status == 202


async def test_the_socket_of_another_daemon_is_left_alone(folder: Path) -> None:
    async with door(folder) as opened:
        opened.path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(opened.path))
            other.listen()
            (trouble,) = await check(opened)
            assert "another daemon listens on it" in trouble


async def test_a_socket_of_systemd_is_left_to_systemd(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(folder / "s"))
        held.listen()
        async with door(folder, inherited=[held.dup()]) as opened:
            (folder / "s").unlink()
            (trouble,) = await check(opened)
            assert "systemctl restart notifybot.socket" in trouble
            assert not (folder / "s").exists()


async def test_a_daemon_whose_lock_another_one_took_stops(folder: Path) -> None:
    async with door(folder) as opened:
        lock = data(opened, "DB.lock")
        lock.unlink()
        with hold_file(lock):
            await check(opened)
        assert opened.daemon.runtime.database.deposed.is_set()


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


DATABASE: list[tuple[str, Callable[[Path], object]]] = [
    ("DB", Path.unlink),
    ("DB", move_away),
    ("DB", replace),
    ("DB", lambda path: shutil.copy(path, path.with_name("copy")) and path.with_name("copy").replace(path)),
    ("DB-wal", Path.unlink),
    ("DB-wal", replace),
    (".", lambda path: path.resolve().rename(path.resolve().with_name("elsewhere"))),
]


@pytest.mark.parametrize(("name", "happens"), DATABASE)
async def test_nothing_is_accepted_into_a_database_that_is_gone(
    folder: Path, name: str, happens: Callable[[Path], object]
) -> None:
    async with door(folder) as opened:
        path = database_of(opened)
        kept = (await opened.ingest()).json["id"]

        happens(data(opened, name))

        refused = await opened.ingest()
        assert refused.status == 503
        assert "removed or replaced" in refused.json["detail"]
        troubles = await check(opened)
        health = await opened.ask("GET", "/health")
        assert (health.status, health.json["status"]) == (503, "down")
        assert set(troubles) <= set(health.json["warnings"])
        assert any(f"mv {path}{RESCUED} {path}" in each for each in troubles)
    with contextlib.closing(sqlite3.connect(f"{path}{RESCUED}")) as copy:
        assert copy.execute("SELECT id FROM messages").fetchall() == [(kept,)]


async def test_a_database_that_comes_back_is_used_again(folder: Path) -> None:
    async with door(folder) as opened:
        path = database_of(opened)
        path.rename(path.with_name("away"))
        assert (await opened.ingest()).status == 503
        path.with_name("away").rename(path)
        assert (await opened.ingest()).status == 202
        assert await check(opened) == ()


async def test_a_start_does_not_forget_a_rescued_database(folder: Path) -> None:
    async with door(folder) as opened:
        path = database_of(opened)
        kept = (await opened.ingest()).json["id"]
        path.unlink()
        await check(opened)
    with pytest.raises(StartRefused, match="has its contents") as refused:
        async with door(folder):
            pass
    assert f"mv {path}{RESCUED} {path}" in str(refused.value.hint)
    shutil.move(f"{path}{RESCUED}", path)
    async with door(folder) as again:
        assert (await again.ask("GET", f"/api/messages/{kept}")).status == 200
