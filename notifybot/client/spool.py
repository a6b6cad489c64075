"""Messages kept in the caller's own folder while the daemon is away. Standard library only.

One file per message: a line of JSON (`_Head`), then the body of its request as it will be sent. A message is kept once
its file has its final name, and handed over once the daemon has accepted it under the client_id in the body: a crash in
between hands it over twice, and the daemon accepts it once.
"""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from notifybot.client.errors import ClientError, NotReady, Refused
from notifybot.client.posting import Outgoing
from notifybot.client.unix_http import CHUNK_BYTES, HttpRequest, RequestBody

MAX_MESSAGES = 10_000
MAX_BYTES = 512 * 1024 * 1024
MAX_HEAD_BYTES = 65_536
LATEST = 1e11
NOT_FOUND, BROKEN_THERE = 404, 500
WAITING, REFUSED = "waiting", "refused"
_NAME = re.compile(r"([0-9]{12})\.(waiting|refused)")
_UNFINISHED = "unfinished"


@dataclass(frozen=True)
class _Head:
    """`daemon`: the socket named by the caller, empty for the default ones. `about`: a text for lists.

    `may_be_missing`: 404 is success, as for a resolve of what is no longer open.
    """

    daemon: str
    path: str
    media_type: str
    length: int
    client_id: str
    at: float
    about: str
    may_be_missing: bool


@dataclass(frozen=True)
class SpooledMessage:
    """A message in the spool. `status`: waiting, or refused by the daemon; `kept_at`: Unix time."""

    number: int
    status: str
    daemon: str
    kept_at: float
    size: int
    about: str
    client_id: str


@dataclass(frozen=True)
class HandedOver:
    """Result of one hand-over. `refused`: numbers and reasons; `stopped_by`: why the rest waits."""

    accepted: int
    refused: tuple[tuple[int, str], ...] = ()
    stopped_by: ClientError | None = None


@dataclass(frozen=True)
class _Entry:
    path: Path
    number: int
    status: str
    head: _Head
    offset: int

    def request(self) -> HttpRequest:
        body = RequestBody(self.head.media_type, self.head.length, self._chunks)
        return HttpRequest("POST", self.head.path, body)

    def _chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


class Spool:
    """The spool in one folder, which belongs to one user. Processes share it through locks."""

    def __init__(self, folder: Path, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._max_messages = max_messages
        self._max_bytes = max_bytes

    def add(self, message: Outgoing, *, daemon: str, at: float) -> int:
        """Keep a message and return its number, once it is on disk. Raises ClientError if it cannot be kept."""
        body = message.body
        head = _Head(
            daemon=daemon,
            path=message.path,
            media_type=body.media_type,
            length=body.length,
            client_id=message.client_id,
            at=at,
            about=message.line(),
            may_be_missing=message.may_be_missing,
        )
        try:
            self._prepare()
            with self._locked("lock") as lock:
                return self._write(head, body, lock)
        except OSError as error:
            detail = f"The message cannot be kept in {self.folder}: {error.strerror or error}."
            raise ClientError(detail, hint="It was not sent either. Send it again.") from error

    def messages(self) -> tuple[SpooledMessage, ...]:
        """List what is kept, oldest first. A damaged file is `refused`."""
        return tuple(self._described(*each) for each in self._files())

    def _described(self, path: Path, number: int, status: str) -> SpooledMessage:
        entry = _read(path, number, status)
        size = path.stat().st_size if path.exists() else 0
        if entry is None:
            return SpooledMessage(number, REFUSED, "", 0, size, "damaged file", "")
        head = entry.head
        return SpooledMessage(number, status, head.daemon, head.at, size, head.about, head.client_id)

    def drop(self, numbers: Iterable[int]) -> None:
        """Delete messages. Raises Refused, and deletes none, if one is not there."""
        kept = {number: path for path, number, _ in self._files()}
        wanted = list(numbers)
        for number in wanted:
            if number not in kept:
                raise Refused(f"No message {number} is in the spool.", hint="`notifybot spool` lists them.")
        try:
            for number in wanted:
                kept[number].unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def hand_over(
        self, post: Callable[[HttpRequest], object], *, daemon: str, retry_refused: bool = False
    ) -> HandedOver:
        """Send what waits for this daemon, in order, and delete each message once it is accepted.

        A message that the daemon refuses is kept as `refused`, and delays no other. Any other failure ends the
        hand-over. Does nothing while another process hands over.
        """
        if not self._files():
            return HandedOver(0)
        self._check_owner()
        try:
            with self._locked("hand-over.lock", is_patient=False) as lock:
                if lock is None:
                    return HandedOver(0)
                return self._hand_over(post, daemon, retry_refused=retry_refused)
        except OSError as error:
            raise self._unusable(error) from error

    def _hand_over(self, post: Callable[[HttpRequest], object], daemon: str, *, retry_refused: bool) -> HandedOver:
        accepted, refused = 0, []
        for path, number, status in self._files():
            if status == REFUSED and not retry_refused:
                continue
            entry = _read(path, number, status)
            if entry is None and path.exists():
                refused.append((number, "its file is damaged"))
                self._refuse(path)
            elif entry is not None and entry.head.daemon == daemon:
                try:
                    reason = _post(post, entry)
                except ClientError as error:
                    return HandedOver(accepted, tuple(refused), error)
                if reason is None:
                    accepted += 1
                    path.unlink(missing_ok=True)
                else:
                    refused.append((number, reason))
                    self._refuse(path)
        return HandedOver(accepted, tuple(refused))

    def _refuse(self, path: Path) -> None:
        with suppress(FileNotFoundError):  # dropped meanwhile
            path.rename(path.with_suffix(f".{REFUSED}"))

    def _files(self) -> list[tuple[Path, int, str]]:
        """Return path, number and status of each message, oldest first."""
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unusable(error) from error
        found = [(name, _NAME.fullmatch(name)) for name in names]
        return [(self.folder / name, int(match[1]), match[2]) for name, match in found if match]

    def _unusable(self, error: OSError) -> Refused:
        detail = f"The spool {self.folder} cannot be used: {error.strerror or error}."
        return Refused(detail, hint="Check its owner, mode and disk, or set $XDG_STATE_HOME.")

    def _prepare(self) -> None:
        """Create the folder, on disk with its name."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            _sync_folder(self.folder.parent)
        self._check_owner()

    def _check_owner(self) -> None:
        """Raise Refused if the folder is another user's: under sudo, root would send their messages as its own."""
        if self.folder.stat().st_uid != os.geteuid():
            detail = f"The spool {self.folder} belongs to another user."
            raise Refused(detail, hint="Set $HOME or $XDG_STATE_HOME to your own, as `sudo -H` does.")

    def _write(self, head: _Head, body: RequestBody, lock: int | None) -> int:
        line = json.dumps(asdict(head)).encode() + b"\n"
        files = self._files()
        self._check_room(files, len(line) + body.length)
        number = _next_number(files, lock)
        unfinished, kept = self.folder / _UNFINISHED, self.folder / f"{number:012d}.{WAITING}"
        unfinished.unlink(missing_ok=True)  # left by a process that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                file.write(line)
                file.writelines(body.chunks())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(kept)
            _sync_folder(self.folder)
        except OSError:
            kept.unlink(missing_ok=True)
            raise
        finally:
            unfinished.unlink(missing_ok=True)
        return number

    def _check_room(self, files: list[tuple[Path, int, str]], more: int) -> None:
        size = sum(_size(path) for path, _, _ in files)
        if len(files) >= self._max_messages or size + more > self._max_bytes:
            raise ClientError(
                f"The spool {self.folder} is full: {len(files)} messages, {size // 1_000_000} MB.",
                hint="The message was not sent. Start the daemon, or delete some: `notifybot spool drop`.",
            )

    @contextmanager
    def _locked(self, name: str, *, is_patient: bool = True) -> Iterator[int | None]:
        """Hold a lock; the kernel releases it if the process dies. Yields its file, None if another holds it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.folder / name, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if is_patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield lock
        finally:
            os.close(lock)


def _post(post: Callable[[HttpRequest], object], entry: _Entry) -> str | None:
    """Send one message; return why the daemon refuses it, None if it has it. Raises ClientError if it has to wait."""
    try:
        post(entry.request())
    except Refused as error:
        is_done = error.code == NOT_FOUND and entry.head.may_be_missing
        return None if is_done else error.detail
    except NotReady as error:
        if error.code != BROKEN_THERE:
            raise
        return error.detail  # a fault that this message provokes must not hold up the others
    return None


def _read(path: Path, number: int, status: str) -> _Entry | None:
    """Read the head of a file; None if it is damaged."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            line = file.readline(MAX_HEAD_BYTES)
            head = _Head(**json.loads(line))
            is_whole = os.fstat(file.fileno()).st_size == len(line) + head.length and _is_sound(head)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return _Entry(path, number, status, head, len(line)) if is_whole else None


def _is_sound(head: _Head) -> bool:
    texts = (head.daemon, head.path, head.media_type, head.client_id, head.about)
    if not all(isinstance(text, str) for text in texts) or not 0 <= head.at < LATEST:
        return False
    return head.path.startswith("/") and all(_is_word(text) for text in (head.path, head.media_type))


def _is_word(text: str) -> bool:
    """Check what becomes a line of the request's head."""
    return text.isascii() and text.isprintable()


def _next_number(files: list[tuple[Path, int, str]], lock: int | None) -> int:
    """Take the next number; the lock's file has the last one. A number is never used again.

    Otherwise a hand-over could delete a message that took the number of one that was dropped meanwhile.
    """
    assert lock is not None
    written = os.pread(lock, 20, 0)
    last = int(written) if written.isdigit() else 0
    number = max([last, *(number for _, number, _ in files)]) + 1
    os.pwrite(lock, b"%012d" % number, 0)
    return number


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # handed over meanwhile
        return path.stat().st_size
    return 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
