"""Backups are complete and verified; whatever else is restored is refused."""

import contextlib
import hashlib
import io
import json
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from notifybot.errors import Conflict, NotifybotError, StartRefused
from notifybot.storage.backup import ArchiveInvalid, back_up, restore
from notifybot.storage.migrations import upgrade
from notifybot.system.locks import hold_file

CONTENT = b"an attachment"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ATTACHMENT = f"attachments/{SHA256[:2]}/{SHA256}"


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/notifybot.sqlite3"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    upgrade(url(folder))
    (folder / ATTACHMENT).parent.mkdir(parents=True)
    (folder / ATTACHMENT).write_bytes(CONTENT)
    (folder / "secret.key").write_bytes(b"key")
    return folder


@pytest.fixture
def archive(old: Path, tmp_path: Path) -> Path:
    path = tmp_path / "backup.tar"
    back_up(path, url=url(old), data_dir=old, version="0.1.0")
    return path


def test_a_backup_restores_every_file_for_its_owner_alone(archive: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"

    restore(archive, url=url(new), data_dir=new)

    assert (new / ATTACHMENT).read_bytes() == CONTENT
    assert (new / "secret.key").read_bytes() == b"key"
    files = [archive, new / ATTACHMENT, new / "secret.key", new / "notifybot.sqlite3"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert list(tmp_path.glob(".*")) == []


def test_a_backup_under_load_has_every_row_committed_before_it(old: Path, tmp_path: Path) -> None:
    committed, stop = [0], threading.Event()
    started = threading.Event()

    def write() -> None:
        with contextlib.closing(sqlite3.connect(old / "notifybot.sqlite3", timeout=30)) as database:
            database.execute("CREATE TABLE load (n INTEGER)")
            while not stop.is_set():
                database.execute("INSERT INTO load VALUES (?)", (committed[0] + 1,))
                database.commit()
                committed[0] += 1
                started.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(20)
        before = committed[0]
        back_up(tmp_path / "load.tar", url=url(old), data_dir=old, version="0.1.0")
    finally:
        stop.set()
        writer.join()
    restore(tmp_path / "load.tar", url=url(tmp_path / "new"), data_dir=tmp_path / "new")

    with contextlib.closing(sqlite3.connect(tmp_path / "new" / "notifybot.sqlite3")) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = [n for (n,) in restored.execute("SELECT n FROM load ORDER BY n")]
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) >= before


Members = dict[str, bytes]


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: {each: content for each, content in members.items() if each != name}


def with_member(name: str, content: bytes) -> Callable[[Members], Members]:
    return lambda members: {name: content, **without(name)(members)}


def with_manifest(**changes: str) -> Callable[[Members], Members]:
    def change(members: Members) -> Members:
        text = json.dumps({**json.loads(members["manifest.json"]), **changes}).encode()
        return {**without("manifest.json")(members), "manifest.json": text}

    return change


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (without("manifest.json"), ArchiveInvalid),
        (without("notifybot.sqlite3"), ArchiveInvalid),
        (without(ATTACHMENT), ArchiveInvalid),
        (with_member(ATTACHMENT, b"other bytes"), ArchiveInvalid),
        (with_member("secret.key", b""), ArchiveInvalid),
        (with_member("../escaped", b""), ArchiveInvalid),
        (with_member("/tmp/escaped", b""), ArchiveInvalid),
        (with_member("attachments/aa/short", b""), ArchiveInvalid),
        (with_member("manifest.json", b""), ArchiveInvalid),
        (with_member("manifest.json", b"[]"), ArchiveInvalid),
        (with_member("manifest.json", b"\xff{"), ArchiveInvalid),
        (with_member("manifest.json", b"[" * 100_000), ArchiveInvalid),
        (with_manifest(revision="9999"), Conflict),
        (with_manifest(revision="newest"), ArchiveInvalid),
        (with_manifest(sha256="none"), ArchiveInvalid),
    ],
)
def test_another_archive_is_refused_and_nothing_is_changed(
    archive: Path, tmp_path: Path, change: Callable[[Members], Members], refusal: type[NotifybotError]
) -> None:
    with tarfile.open(archive) as tar:
        members = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    with tarfile.open(archive, "w") as tar:
        for name, content in change(members).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    new = tmp_path / "new"

    with pytest.raises(refusal):
        restore(archive, url=url(new), data_dir=new)

    assert [path.name for path in new.iterdir()] == ["notifybot.sqlite3.lock"]


@pytest.mark.parametrize("kept", [0, 1, 511, 512, 5_000, 60_000])
def test_half_an_archive_is_refused(archive: Path, tmp_path: Path, kept: int) -> None:
    archive.write_bytes(archive.read_bytes()[:kept])

    with pytest.raises(ArchiveInvalid):
        restore(archive, url=url(tmp_path / "new"), data_dir=tmp_path / "new")


def test_restore_refuses_a_running_daemon_and_an_existing_database(archive: Path, old: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        restore(archive, url=url(old), data_dir=old)
    new = tmp_path / "new"
    new.mkdir()
    with hold_file(new / "notifybot.sqlite3.lock"), pytest.raises(StartRefused):
        restore(archive, url=url(new), data_dir=new)


def test_restore_refuses_a_log_that_another_database_left_behind(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    left = tmp_path / "new" / "notifybot.sqlite3-wal"
    left.write_bytes(b"a log")
    with pytest.raises(Conflict, match="-wal"):
        restore(archive, url=url(tmp_path / "new"), data_dir=tmp_path / "new")
    left.unlink()
    restore(archive, url=url(tmp_path / "new"), data_dir=tmp_path / "new")


def test_a_backup_overwrites_nothing_and_needs_a_database(archive: Path, old: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        back_up(archive, url=url(old), data_dir=old, version="0.1.0")
    with pytest.raises(NotifybotError):
        back_up(tmp_path / "missing" / "x.tar", url=url(old), data_dir=old, version="0.1.0")
    with pytest.raises(NotifybotError):
        back_up(tmp_path / "none.tar", url=url(tmp_path / "none"), data_dir=tmp_path / "none", version="0.1.0")
