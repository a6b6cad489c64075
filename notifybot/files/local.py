"""Opening a file that a caller names by its path, with the caller's rights and not the daemon's.

The daemon cannot take on another user's identity. So it walks the path itself, one component at a time on descriptors
that nobody can exchange, and asks of each folder and of the file what the kernel would ask of the caller: mode bits or
POSIX ACL. A right is checked before what it gives access to is looked at; therefore no answer tells a caller more than
they could find out by themselves.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from notifybot.errors import NotifybotError

PATH_BYTES = 4095
NAME_BYTES = 255
MOST_LINKS = 40
READ = 4
SEARCH = 1
SO_PEERGROUPS = 59
MOST_GROUPS = 256  # Python takes no more from getsockopt
HINT = "Send the file itself instead of its path; `notifybot send --photo FILE` and `--file FILE` do so."
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
"""Those whose files are the kernel's own, where modes do not say who may read them; and any user's program (fuse)."""

UNKNOWN_MOUNT = "fuse"  # refused like the worst
MISSING = "There is no such file."
FORBIDDEN = "You may not read this file."

_CREDENTIALS = struct.Struct("3i")
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_OWNER, _USER, _GROUP_OF_FILE, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
# Not blocking, because what was a file a moment ago can be a FIFO now.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotReadable(NotifybotError):
    """The path leads to nothing that this caller gets from this daemon."""

    title = "File not readable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, hint=HINT)


@dataclass(frozen=True)
class PeerCredentials:
    """For whom a file is opened: user and all groups, as numbers."""

    uid: int
    groups: frozenset[int]


@dataclass(frozen=True)
class LocalFile:
    """An open file; `size` in bytes as it was when it was opened. Whoever gets it closes `file`."""

    file: BinaryIO
    size: int
    name: str


def peer_credentials(connection: socket.socket) -> PeerCredentials:
    """Who connected to a unix socket, and in which groups they were then, as the kernel noted it.

    One who is in more than MOST_GROUPS groups counts as a member of the main one alone.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, gid = _CREDENTIALS.unpack(credentials)
    packed = b""
    with contextlib.suppress(OSError):
        packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * MOST_GROUPS)
    return PeerCredentials(uid, frozenset({gid, *struct.unpack(f"{len(packed) // 4}I", packed)}))


async def open_for(path: str, reader: PeerCredentials) -> LocalFile:
    """`open_as` on a thread."""
    return await asyncio.to_thread(open_as, path, reader)


def open_as(path: str, reader: PeerCredentials) -> LocalFile:
    """Open a regular file for reading, if `reader` may. Raises NotReadable, with what to do instead.

    `path` is absolute; its last component is no link, others may be links and are followed as the reader would.
    """
    *folders, name = _components(path)
    with _Walk(reader) as walk:
        for folder in folders:
            walk.enter(folder)
        return walk.open_file(name)


def _components(path: str) -> list[str]:
    """The names in an absolute path; raises NotReadable where it can name no file."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise NotReadable("The path holds characters that no file name has.") from None
    if not path.startswith("/"):
        raise NotReadable("The path of a file is absolute: it begins with /.")
    if "\0" in path:
        raise NotReadable("The path holds a character that no file name has.")
    names = [name for name in path.split("/") if name]
    if len(encoded) > PATH_BYTES or any(len(os.fsencode(name)) > NAME_BYTES for name in names):
        raise NotReadable("The path is too long.")
    if not names or path.endswith("/") or names[-1] in (".", ".."):
        raise NotReadable("The path names a folder.")
    return names


class _Walk:
    """Where a walk along a path stands: a descriptor of one folder."""

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
        """Go on to a folder, through links if need be."""
        with self._seen(name) as fd:
            status = os.fstat(fd)
            if stat.S_ISLNK(status.st_mode):
                self._follow(fd, status)
            elif stat.S_ISDIR(status.st_mode):
                self._stand_on(os.dup(fd))
            else:
                raise NotReadable(MISSING)

    @contextlib.contextmanager
    def _seen(self, name: str) -> Iterator[int]:
        """A descriptor of what has this name in the folder, only to look at: nothing is opened by it."""
        self._refuse_unless_may(self._folder, SEARCH)
        with _refusing():
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            if self._mounts.get(_mount_of(fd), UNKNOWN_MOUNT).partition(".")[0] in REFUSED_FILE_SYSTEMS:
                raise NotReadable("The path leads to a file system from which nothing is read.")
            yield fd
        finally:
            os.close(fd)

    def _stand_on(self, folder: int) -> None:
        os.close(self._folder)
        self._folder = folder

    def _follow(self, link: int, of: os.stat_result) -> None:
        self._links += 1
        if self._links > MOST_LINKS or not self._follows_links_of(of.st_uid):
            raise NotReadable("The path goes through links that are not followed.")
        with _refusing():
            target = os.readlink("", dir_fd=link)
        if target.startswith("/"):
            self._stand_on(_root())
        for name in filter(None, target.split("/")):
            self.enter(name)

    def _follows_links_of(self, owner: int) -> bool:
        """In a folder where anybody may put things, like /tmp, only one's own links and its owner's: as Linux does."""
        folder = os.fstat(self._folder)
        is_anybodys = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
        return not is_anybodys or owner in (self._reader.uid, folder.st_uid)

    def open_file(self, name: str) -> LocalFile:
        """Open the file of this name, which is looked at before it is opened: opening alone can set off a device."""
        with self._seen(name) as seen:
            self._refuse_unless_file(seen)
        with _refusing():
            fd = os.open(name, _OPEN, dir_fd=self._folder)
        try:
            # Once more, for what is open now: the name may lead to another file than before.
            self._refuse_unless_file(fd)
            return LocalFile(os.fdopen(fd, "rb"), os.fstat(fd).st_size, name)
        except BaseException:
            os.close(fd)
            raise

    def _refuse_unless_file(self, fd: int) -> None:
        status = os.fstat(fd)
        if stat.S_ISLNK(status.st_mode):
            raise NotReadable("The path ends in a link, which is not followed.")
        if not stat.S_ISREG(status.st_mode):
            raise NotReadable("The path names no regular file.")
        self._refuse_unless_may(fd, READ)

    def _refuse_unless_may(self, fd: int, wanted: int) -> None:
        if not _may(self._reader, os.fstat(fd), _acl(fd), wanted):
            raise NotReadable(FORBIDDEN)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """The system's refusals as ours. What the reader may do was checked before: a lack of rights is the daemon's."""
    try:
        yield
    except PermissionError:
        raise NotReadable("The daemon may not read this file.") from None
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
    """The ACL of what a descriptor names; [] without one. Raises NotReadable where that cannot be told."""
    try:
        # The way over /proc is the one that works for O_PATH descriptors too.
        packed = os.getxattr(f"/proc/self/fd/{fd}", _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return []
        raise NotReadable(FORBIDDEN) from None
    if len(packed) < 4 or len(packed) % 8 != 4 or struct.unpack_from("<I", packed)[0] != _ACL_VERSION:
        raise NotReadable(FORBIDDEN)
    return [_AclEntry(*entry) for entry in struct.iter_unpack("<HHI", packed[4:])]


def _may(reader: PeerCredentials, status: os.stat_result, acl: list[_AclEntry], wanted: int) -> bool:
    """Whether the kernel would allow it: the first of owner, group and others that the reader is decides alone."""
    if reader.uid == 0:
        return True
    if reader.uid == status.st_uid:
        return bool(status.st_mode >> 6 & wanted)
    # Without any bit for the group, which is the ACL's mask, Linux does not look at the ACL at all.
    if acl and status.st_mode & stat.S_IRWXG:
        return _acl_allows(reader, status.st_gid, acl, wanted)
    shift = 3 if status.st_gid in reader.groups else 0
    return bool(status.st_mode >> shift & wanted)


def _acl_allows(reader: PeerCredentials, gid: int, acl: list[_AclEntry], wanted: int) -> bool:
    """The same for one who is not the owner, by an ACL: a named user, then any group, then others."""
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
    """The type of the file system of each mount that the daemon sees, by the mount's number."""
    types: dict[int | None, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            fields, _, rest = line.partition(" - ")
            types[int(fields.split()[0])] = rest.split()[0]
    return types


def _mount_of(fd: int) -> int | None:
    """The number of the mount that a descriptor is on. Asks the kernel alone: a file system may never answer."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="utf-8").splitlines():
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    return None
