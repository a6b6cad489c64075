"""Open a file that a caller names by path, with the caller's permissions instead of the daemon's.

The daemon cannot switch to another user. So it walks the path itself, one component at a time, on descriptors that
nobody can swap, and checks each folder and the file as the kernel would check the caller: mode bits or POSIX ACL. Each
permission is checked before the daemon looks at what it protects, so no response reveals more than a caller could find
out themselves.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import struct
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from notifybot.errors import NotifybotError

PATH_BYTES = 4095
NAME_BYTES = 255
MAX_LINKS = 40
OPENED_AT_ONCE = 4
OPENED_AT_ONCE_BY_ONE_USER = 2
"""An open takes microseconds, or for ever on a network file system that hangs."""
READ = 4
SEARCH = 1
SO_PEERGROUPS = 59
MAX_GROUPS = 256  # Python takes no more from getsockopt
HINT = "Upload the file instead of its path, for example with `notifybot send --photo FILE` or `--file FILE`."
REFUSED_FILE_SYSTEMS = frozenset(
    {
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "efivarfs",
        "fuse",
        "fusectl",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)
"""File systems of the kernel, where the mode does not say who may read; and fuse, which is any user's program."""

UNKNOWN_MOUNT = "fuse"  # refuse unknown mounts too
MISSING = "No such file."
FORBIDDEN = "You do not have permission to read this file."

_CREDENTIALS = struct.Struct("3i")
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_OWNER, _USER, _GROUP_OF_FILE, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
# Not blocking, because what was a file a moment ago can be a FIFO now.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotReadable(NotifybotError):
    """The path does not lead to a file that this caller and this daemon may read."""

    title = "File not readable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, hint=HINT)


@dataclass(frozen=True)
class PeerCredentials:
    """Numeric user and groups of a caller."""

    uid: int
    groups: frozenset[int]


@dataclass(frozen=True)
class LocalFile:
    """An open file; `size` in bytes when it was opened. The caller closes `file`."""

    file: BinaryIO
    size: int
    name: str


def peer_credentials(connection: socket.socket) -> PeerCredentials:
    """Return the user and groups that the kernel recorded when the peer connected.

    With more than MAX_GROUPS groups, only the primary group counts.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, gid = _CREDENTIALS.unpack(credentials)
    packed = b""
    with contextlib.suppress(OSError):
        packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * MAX_GROUPS)
    return PeerCredentials(uid, frozenset({gid, *struct.unpack(f"{len(packed) // 4}I", packed)}))


class LocalFiles:
    """Opens files on threads of its own. One user's files that cannot be opened do not keep another's waiting."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="paths")
        self._turns: defaultdict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(OPENED_AT_ONCE_BY_ONE_USER)
        )

    async def open(self, path: str, reader: PeerCredentials) -> LocalFile:
        """`open_as` on a thread. If the caller is cancelled, the thread goes on, and keeps its turn until then."""
        turn = self._turns[reader.uid]
        await turn.acquire()
        opening = asyncio.get_running_loop().run_in_executor(self._threads, open_as, path, reader)
        opening.add_done_callback(partial(_end_turn, turn))
        return await asyncio.shield(opening)


def _end_turn(turn: asyncio.Semaphore, opened: asyncio.Future[LocalFile]) -> None:
    turn.release()
    if not opened.cancelled():
        opened.exception()  # seen, even if the caller is gone


def open_as(path: str, reader: PeerCredentials) -> LocalFile:
    """Open a regular file for reading if `reader` may read it. Raises NotReadable.

    `path` is absolute. Its last component cannot be a link; links before it are followed as for the reader.
    """
    *folders, name = _components(path)
    with _Walk(reader) as walk:
        for folder in folders:
            walk.enter(folder)
        return walk.open_file(name)


def _components(path: str) -> list[str]:
    """Split an absolute path into names. Raises NotReadable if it cannot be a file."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise NotReadable("The path contains characters that a file name cannot have.") from None
    if not path.startswith("/"):
        raise NotReadable("The path must be absolute: it starts with /.")
    if "\0" in path:
        raise NotReadable("The path contains a character that a file name cannot have.")
    names = [name for name in path.split("/") if name]
    if len(encoded) > PATH_BYTES or any(len(os.fsencode(name)) > NAME_BYTES for name in names):
        raise NotReadable("The path is too long.")
    if not names or path.endswith("/") or names[-1] in (".", ".."):
        raise NotReadable("The path is a folder.")
    return names


class _Walk:
    """Walk along a path; holds a descriptor of the current folder."""

    def __init__(self, reader: PeerCredentials) -> None:
        self._reader = reader
        self._links = 0
        self._mounts = _mounts()
        self._folder = _root()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)

    def enter(self, name: str) -> None:
        """Enter a folder; follow a link to it."""
        with self._looked_up(name) as fd:
            status = os.fstat(fd)
            if stat.S_ISLNK(status.st_mode):
                self._follow(fd, status)
            elif stat.S_ISDIR(status.st_mode):
                self._change_to(os.dup(fd))
            else:
                raise NotReadable(MISSING)

    @contextlib.contextmanager
    def _looked_up(self, name: str) -> Iterator[int]:
        """Open an O_PATH descriptor of the entry, which does not open the file itself."""
        self._refuse_unless_may(self._folder, SEARCH)
        with _translated_errors():
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            if self._mounts.get(_mount_of(fd), UNKNOWN_MOUNT).partition(".")[0] in REFUSED_FILE_SYSTEMS:
                raise NotReadable("Files on this file system are never read.")
            yield fd
        finally:
            os.close(fd)

    def _change_to(self, folder: int) -> None:
        os.close(self._folder)
        self._folder = folder

    def _follow(self, link: int, of: os.stat_result) -> None:
        self._links += 1
        if self._links > MAX_LINKS or not self._follows_links_of(of.st_uid):
            raise NotReadable("The path contains links that are not followed.")
        with _translated_errors():
            target = os.readlink("", dir_fd=link)
        if target.startswith("/"):
            self._change_to(_root())
        for name in filter(None, target.split("/")):
            self.enter(name)

    def _follows_links_of(self, owner: int) -> bool:
        """In a sticky folder like /tmp, follow only links of the reader or of the folder's owner, as Linux does."""
        folder = os.fstat(self._folder)
        is_shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
        return not is_shared or owner in (self._reader.uid, folder.st_uid)

    def open_file(self, name: str) -> LocalFile:
        """Check the entry, then open it: merely opening a device can trigger it."""
        with self._looked_up(name) as seen:
            self._refuse_unless_file(seen)
        with _translated_errors():
            fd = os.open(name, _OPEN, dir_fd=self._folder)
        try:
            # Check again: the name may point to another file by now.
            self._refuse_unless_file(fd)
            return LocalFile(os.fdopen(fd, "rb"), os.fstat(fd).st_size, name)
        except BaseException:
            os.close(fd)
            raise

    def _refuse_unless_file(self, fd: int) -> None:
        status = os.fstat(fd)
        if stat.S_ISLNK(status.st_mode):
            raise NotReadable("The path is a symbolic link, which is not followed.")
        if not stat.S_ISREG(status.st_mode):
            raise NotReadable("The path is not a regular file.")
        self._refuse_unless_may(fd, READ)

    def _refuse_unless_may(self, fd: int, wanted: int) -> None:
        if not _may(self._reader, os.fstat(fd), _acl(fd), wanted):
            raise NotReadable(FORBIDDEN)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn OSError into NotReadable. The reader's permissions were checked, so PermissionError is the daemon's own."""
    try:
        yield
    except PermissionError:
        raise NotReadable("The daemon does not have permission to read this file.") from None
    except FileNotFoundError:
        raise NotReadable(MISSING) from None
    except OSError as error:
        raise NotReadable(f"The file cannot be opened: {error.strerror}.") from None


@dataclass(frozen=True)
class _AclEntry:
    tag: int
    rights: int
    of: int


def _acl(fd: int) -> list[_AclEntry]:
    """Return a descriptor's ACL, [] without one. Raises NotReadable if the ACL is unreadable."""
    try:
        # Going through /proc also works for O_PATH descriptors.
        packed = os.getxattr(f"/proc/self/fd/{fd}", _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return []
        raise NotReadable(FORBIDDEN) from None
    if len(packed) < 4 or len(packed) % 8 != 4 or struct.unpack_from("<I", packed)[0] != _ACL_VERSION:
        raise NotReadable(FORBIDDEN)
    return [_AclEntry(*entry) for entry in struct.iter_unpack("<HHI", packed[4:])]


def _may(reader: PeerCredentials, status: os.stat_result, acl: list[_AclEntry], wanted: int) -> bool:
    """Decide as the kernel does: the first match of owner, group and others counts."""
    if reader.uid == 0:
        return True
    if reader.uid == status.st_uid:
        return bool(status.st_mode >> 6 & wanted)
    # The group bits are the ACL's mask. If all are 0, Linux ignores the ACL.
    if acl and status.st_mode & stat.S_IRWXG:
        return _acl_allows(reader, status.st_gid, acl, wanted)
    shift = 3 if status.st_gid in reader.groups else 0
    return bool(status.st_mode >> shift & wanted)


def _acl_allows(reader: PeerCredentials, gid: int, acl: list[_AclEntry], wanted: int) -> bool:
    """Decide by ACL for a reader who is not the owner: named user, then any group, then others."""
    mask = next((entry.rights for entry in acl if entry.tag == _MASK), 7)
    user = next((entry for entry in acl if entry.tag == _USER and entry.of == reader.uid), None)
    if user is not None:
        return bool(user.rights & mask & wanted)
    of_file = {gid} & reader.groups
    groups = [
        entry
        for entry in acl
        if (entry.tag == _GROUP_OF_FILE and of_file) or (entry.tag == _GROUP and entry.of in reader.groups)
    ]
    if groups:
        return any(entry.rights & mask & wanted for entry in groups)
    return any(entry.rights & wanted for entry in acl if entry.tag == _OTHER)


def _root() -> int:
    return os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _mounts() -> dict[int | None, str]:
    """Return the file system type of each mount, by mount id."""
    types: dict[int | None, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            fields, _, rest = line.partition(" - ")
            types[int(fields.split()[0])] = rest.split()[0]
    return types


def _mount_of(fd: int) -> int | None:
    """Return a descriptor's mount id. Asks only the kernel, because a file system may hang."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="utf-8").splitlines():
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    return None
