"""File store: each content is stored once and completely; a failure is an error for the caller, and leaves no part."""

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifybot.errors import NotFound, NotifybotError, TooLarge, Unavailable
from notifybot.files.store import FileStore, StoredFile
from tests.support import pictures

NOW = datetime.now(UTC)  # noqa: TID251 - the file system's own clock says when a file was stored
LONG_AGO = NOW - timedelta(days=60)
RETENTION = NOW - timedelta(days=30)
MB = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    made = FileStore(tmp_path / "attachments", max_bytes=60 * MB, kept_free=0)
    yield made
    made.close()


async def in_pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def add(store: FileStore, content: bytes) -> StoredFile:
    with store.incoming() as incoming:
        incoming.write(content)
        return incoming.finish()


def kept(store: FileStore) -> list[str]:
    """Return the names of all files in the store's folder, complete or not."""
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())


def make_old(store: FileStore, file: StoredFile) -> None:
    os.utime(store.path_of(file.sha256), (LONG_AGO.timestamp(), LONG_AGO.timestamp()))


async def test_a_file_is_stored_under_its_digest_and_read_back(store: FileStore) -> None:
    content = pictures.png(640, 480, more=os.urandom(300_000))
    file = await store.receive(in_pieces(content))

    assert file == StoredFile(hashlib.sha256(content).hexdigest(), len(content), "image/png", 640, 480)
    assert file.fits_photo
    assert b"".join([piece async for piece in store.pieces(file.sha256)]) == content
    assert store.path_of(file.sha256) == store.folder / file.sha256[:2] / file.sha256
    assert kept(store) == [file.sha256]


def test_only_the_daemon_may_look_at_files(store: FileStore) -> None:
    path = store.path_of(add(store, b"secret").sha256)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (store.folder, path.parent)} == {0o700}


def test_the_same_content_is_stored_once(store: FileStore) -> None:
    assert add(store, b"twice") == add(store, b"twice")
    assert len(kept(store)) == 1


def test_two_hundred_writers_of_the_same_content_leave_one_file(store: FileStore) -> None:
    content = os.urandom(200_000)
    together = threading.Barrier(200)
    files = []

    def write() -> None:
        together.wait()
        files.append(add(store, content))

    writers = [threading.Thread(target=write) for _ in range(200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(files) == 200
    assert kept(store) == [hashlib.sha256(content).hexdigest()]
    assert store.path_of(files[0].sha256).read_bytes() == content


async def test_five_hundred_uploads_at_once_are_stored_while_the_loop_goes_on(store: FileStore) -> None:
    contents = [index.to_bytes(2, "big") * 50_000 for index in range(500)]
    threads = threading.active_count()
    files = await asyncio.gather(*(store.receive(in_pieces(content, 10_000)) for content in contents))

    assert [file.sha256 for file in files] == [hashlib.sha256(content).hexdigest() for content in contents]
    assert threading.active_count() <= threads + 4
    assert len(kept(store)) == 500


async def test_fifty_megabytes_cost_little_memory_on_the_way_in_and_out(store: FileStore) -> None:
    async def fifty_megabytes() -> AsyncIterator[bytes]:
        for index in range(500):
            yield index.to_bytes(2, "big") * 50_000

    tracemalloc.start()
    file = await store.receive(fifty_megabytes())
    size = sum([len(piece) async for piece in store.pieces(file.sha256)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (file.size, size) == (50 * MB, 50 * MB)
    assert peak < 2 * MB


@pytest.mark.parametrize("size", [0, 1, 65_536])
def test_a_file_that_is_too_large_is_refused_and_nothing_is_kept(tmp_path: Path, size: int) -> None:
    store = FileStore(tmp_path / "attachments", max_bytes=100_000, kept_free=0)
    add(store, bytes(100_000))
    with pytest.raises(TooLarge, match="larger than 100000 bytes"), store.incoming() as incoming:
        incoming.write(bytes(size))
        incoming.write(bytes(100_001 - size))

    assert len(kept(store)) == 1


async def test_an_endless_file_is_refused_where_it_grows_too_large(store: FileStore) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(MB)

    with pytest.raises(TooLarge):
        await store.receive(endless())
    assert kept(store) == []


async def test_an_empty_file_is_refused(store: FileStore) -> None:
    with pytest.raises(NotifybotError, match="empty"):
        await store.receive(in_pieces(b""))
    assert kept(store) == []


async def test_a_file_that_breaks_off_is_not_kept(store: FileStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(MB)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.receive(broken())
    assert kept(store) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(store: FileStore) -> None:
    begun = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield bytes(MB)
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.receive(stalled()))
    await begun.wait()
    upload.cancel()
    await asyncio.wait([upload])

    assert upload.cancelled()
    assert kept(store) == []


def test_an_aborted_upload_stores_nothing(store: FileStore) -> None:
    with store.incoming() as incoming:
        incoming.write(bytes(MB))

    assert kept(store) == []
    with pytest.raises(ValueError, match="aborted"):
        incoming.write(b"more")


async def test_an_open_file_is_copied_from_its_current_position(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x" * 200_000)
    with (tmp_path / "source").open("rb") as source:
        file = await store.receive_file(source)

    assert file.size == 200_000


# Kills, full disks, folders without write permission

KILLED = """
import os, signal, sys
from pathlib import Path
from notifybot.files.store import FileStore
store = FileStore(Path(sys.argv[1]), max_bytes=10**9, kept_free=0)
with store.incoming() as incoming:
    incoming.write(bytes(10**6))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_partial_files_of_a_killed_process_are_swept_at_startup(store: FileStore) -> None:
    file = add(store, b"whole")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.folder)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(kept(store)) == 2

    assert store.sweep() == 1
    assert kept(store) == [file.sha256]


def test_there_is_nothing_to_sweep_before_the_first_file(store: FileStore) -> None:
    assert store.sweep() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_on_a_full_disk_nothing_partial_is_kept_and_work_can_go_on(small_disk: Path) -> None:
    store = FileStore(small_disk / "attachments", max_bytes=50 * MB, kept_free=0)
    with pytest.raises(Unavailable, match="disk is full") as caught:
        await store.receive(in_pieces(bytes(5 * MB), 300_000))

    assert caught.value.code == 503
    assert kept(store) == []
    assert (await store.receive(in_pieces(bytes(500_000)))).size == 500_000


def test_room_is_left_for_the_database(small_disk: Path) -> None:
    store = FileStore(small_disk / "attachments", max_bytes=50 * MB, kept_free=700_000)
    add(store, bytes(200_000))
    with pytest.raises(Unavailable, match="disk is full"):
        add(store, bytes(200_001))

    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize >= 700_000


def test_a_truncated_write_stores_nothing(store: FileStore) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(Unavailable, match="disk is full"):
            add(store, bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert kept(store) == []


async def test_an_impossible_folder_is_reported_to_caller_and_operator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = FileStore(tmp_path / "file" / "attachments", max_bytes=MB)
    with pytest.raises(Unavailable, match="cannot store or read"):
        await store.receive(in_pieces(b"content"))

    assert store.sweep() == 0
    assert [(record.levelname, vars(record)["action"]) for record in caplog.records] == [
        ("ERROR", "file_storage_failed")
    ]


def test_a_folder_that_was_removed_is_made_again(store: FileStore) -> None:
    file = add(store, b"content")
    store.path_of(file.sha256).unlink()
    store.path_of(file.sha256).parent.rmdir()

    assert add(store, b"content") == file
    assert kept(store) == [file.sha256]


# Reading and removing


async def test_a_file_that_is_gone_is_not_found(store: FileStore) -> None:
    with pytest.raises(NotFound, match="no longer kept"):
        [piece async for piece in store.pieces("a" * 64)]


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", ""])
def test_only_a_digest_names_a_file(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.path_of(name)


def test_old_files_that_nobody_uses_are_removed(store: FileStore) -> None:
    old, used, new = add(store, b"old"), add(store, b"old and used"), add(store, b"new")
    make_old(store, old)
    make_old(store, used)

    assert store.remove_unused(lambda sha256: sha256 == used.sha256, stored_before=RETENTION) == 1
    assert kept(store) == sorted([used.sha256, new.sha256])


def test_a_file_that_is_stored_again_while_old_ones_are_removed_stays(store: FileStore) -> None:
    file = add(store, b"content")
    make_old(store, file)

    def stored_again(sha256: str) -> bool:
        add(store, b"content")
        return False

    assert store.remove_unused(stored_again, stored_before=RETENTION) == 0
    assert kept(store) == [file.sha256]


def test_storing_and_removing_at_once_never_loses_what_was_stored(store: FileStore) -> None:
    over = threading.Event()

    def remove() -> None:
        while not over.is_set():
            store.remove_unused(lambda _: False, stored_before=RETENTION)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(300):
            file = add(store, b"content")
            assert store.path_of(file.sha256).exists()
            with contextlib.suppress(FileNotFoundError):  # the previous one is just gone
                make_old(store, file)
    finally:
        over.set()
        remover.join()


def test_a_file_can_be_removed_while_it_is_read(store: FileStore) -> None:
    file = add(store, b"content")
    with store.open(file.sha256) as reading:
        assert store.remove(file.sha256, stored_before=NOW + timedelta(days=1))
        assert reading.read() == b"content"
