"""Back up SQLite's database with the attachments and the key into one archive, and restore them."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from notifybot.errors import Conflict, NotifybotError
from notifybot.storage.engines import lock_path
from notifybot.storage.migrations import HEAD
from notifybot.storage.sqlite import sqlite_path
from notifybot.system.locks import hold_file

MANIFEST = "manifest.json"
"""The last member, so that half an archive has none."""
DATABASE = "notifybot.sqlite3"
KEY = "secret.key"
PIECE_BYTES = 1024 * 1024
_MEMBER = re.compile(r"notifybot\.sqlite3|secret\.key|attachments/([0-9a-f]{2})/\1[0-9a-f]{62}")
_REVISION = re.compile(r"[0-9]{4}")


@dataclass(frozen=True)
class Manifest:
    """`sha256`: digest of each member by its name."""

    version: str
    revision: str
    sha256: dict[str, str]


class ArchiveInvalid(NotifybotError):
    """The archive is damaged, incomplete, or was made by something else."""


def back_up(archive: Path, *, url: str, data_dir: Path, version: str) -> Manifest:
    """Write a verified archive, also while the daemon runs. Raises Conflict if `archive` exists.

    The database comes first: a file is stored before its message, so each attachment of the snapshot is there.
    """
    source = _sqlite(url)
    if archive.exists():
        raise Conflict(f"{archive} already exists.", hint="Choose another name: a backup is never overwritten.")
    with _or_a_sentence(archive), tempfile.TemporaryDirectory(dir=archive.parent, prefix=f".{archive.name}.") as folder:
        snapshot, part = Path(folder, DATABASE), Path(folder, "archive")
        revision = _snapshot(source, snapshot)
        with part.open("xb") as file:
            part.chmod(0o600)
            _write(file, _members(snapshot, data_dir), version=version, revision=revision)
            file.flush()
            os.fsync(file.fileno())
        manifest = read(part, None)
        os.link(part, archive)  # unlike a rename, it fails if somebody made the file meanwhile
        _fsync(archive.parent)
    return manifest


def restore(archive: Path, *, url: str, data_dir: Path) -> Manifest:
    """Put an archive's files in place, the database last. Nothing has changed if the archive is refused.

    Raises ArchiveInvalid; StartRefused while a daemon runs; Conflict if there is a database already, or if a newer
    version made the archive.
    """
    path = _sqlite(url)
    for folder in (path.parent, data_dir):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with hold_file(lock_path(path)), tempfile.TemporaryDirectory(dir=path.parent, prefix=".restore.") as staged:
        # SQLite would take a log that was left behind for the restored database's own, and spoil it.
        for left in filter(Path.exists, (path, Path(f"{path}-wal"))):
            raise Conflict(f"There is a database already: {left}.", hint="Move it away, with its -wal file, first.")
        manifest = read(archive, Path(staged))
        if manifest.revision > HEAD:
            raise Conflict(
                f"The archive has revision {manifest.revision}; this version of notifybot knows {HEAD} at most.",
                hint=f"Install notifybot {manifest.version} or newer.",
            )
        for name in sorted(set(manifest.sha256) - {DATABASE}):
            _put(Path(staged, name), data_dir / name)
        _put(Path(staged, DATABASE), path)
    return manifest


def read(archive: Path, into: Path | None) -> Manifest:
    """Check every member against the manifest, and extract into the folder `into`, if given. Raises ArchiveInvalid."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if member.name == MANIFEST and file is not None:
                    return _checked(file.read(), found)
                if file is None or not member.isreg() or not _MEMBER.fullmatch(member.name):
                    raise ArchiveInvalid(f"{archive} has a member that no backup has: {member.name!r}.")
                found[member.name] = _extract(file, None if into is None else into / member.name)
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArchiveInvalid(f"{archive} is not a complete backup.", hint="Use another backup.") from error
    except OSError as error:
        raise ArchiveInvalid(f"{archive} cannot be restored: {error.strerror or error}.") from error
    raise ArchiveInvalid(f"{archive} is not a complete backup: its end is missing.", hint="Use another backup.")


@contextlib.contextmanager
def _or_a_sentence(archive: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotifybotError(
            f"The backup {archive} cannot be written: {error.strerror or error}.",
            hint="Its folder must exist, be writable, and have room for the archive twice.",
        ) from error


def _checked(text: bytes, found: dict[str, str]) -> Manifest:
    read = json.loads(text)
    manifest = Manifest(str(read["version"]), str(read["revision"]), dict(read["sha256"]))
    if manifest.sha256 != found or DATABASE not in found or not _REVISION.fullmatch(manifest.revision):
        raise ArchiveInvalid(
            "The archive is damaged: its content differs from its manifest.", hint="Use another backup."
        )
    return manifest


def _sqlite(url: str) -> Path:
    path = sqlite_path(url)
    if path is None:
        raise NotifybotError("This command is for SQLite.", hint="With PostgreSQL, use pg_dump and pg_restore.")
    return path


def _snapshot(source: Path, target: Path) -> str:
    """Copy one consistent state of the database, check it, and return its revision."""
    if not source.exists():
        raise NotifybotError(f"There is no database to back up: {source}.", hint="Check --config.")
    try:
        with (
            contextlib.closing(sqlite3.connect(source)) as database,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
            ((state,),) = copy.execute("PRAGMA integrity_check(1)").fetchall()
            ((revision,),) = copy.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error as error:
        raise NotifybotError(f"The database cannot be backed up: {error}.") from error
    if state != "ok":
        raise NotifybotError(f"The database is damaged: {state}.", hint="Restore an earlier backup.")
    return str(revision)


def _members(snapshot: Path, data_dir: Path) -> Iterator[tuple[str, Path]]:
    yield DATABASE, snapshot
    yield KEY, data_dir / KEY
    for path in sorted((data_dir / "attachments").glob("[0-9a-f][0-9a-f]/*")):
        yield str(path.relative_to(data_dir)), path


def _write(file: BinaryIO, members: Iterator[tuple[str, Path]], *, version: str, revision: str) -> None:
    sha256: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in members:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as content:  # retention may remove it now
                sha256[name] = hashlib.file_digest(content, "sha256").hexdigest()
                content.seek(0)
                _add(tar, name, content, os.fstat(content.fileno()).st_size)
        text = json.dumps({"version": version, "revision": revision, "sha256": sha256}).encode()
        _add(tar, MANIFEST, io.BytesIO(text), len(text))


def _add(tar: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, content)


def _extract(file: IO[bytes], to: Path | None) -> str:
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        out = None
        if to is not None:
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            out = stack.enter_context(to.open("xb"))
            to.chmod(0o600)
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    return digest.hexdigest()


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.move(source, target)
    _fsync(target.parent)


def _fsync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
