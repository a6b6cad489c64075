"""Files by path: a caller can send exactly what the kernel would let them read."""

import contextlib
import itertools
import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from notifybot.files.local import LocalFiles, NotReadable, PeerCredentials, open_as, peer_credentials

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of other users")
ANNA, BERT, CARL = 61001, 61002, 61003
TEAM, OTHERS = 62001, 62002
ME = PeerCredentials(os.getuid(), frozenset(os.getgroups()) | {os.getgid()})


@pytest.fixture
def ground() -> Iterator[Path]:
    """Create a folder that everyone can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="notifybot-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def file(path: Path, content: str = "content", *, mode: int = 0o644, uid: int = -1, gid: int = -1) -> str:
    path.write_text(content)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return str(path)


def content_of(path: str, reader: PeerCredentials = ME) -> str:
    opened = open_as(path, reader)
    with opened.file:
        return opened.file.read().decode()


def refusal(path: str, reader: PeerCredentials = ME) -> str:
    with pytest.raises(NotReadable) as caught:
        content_of(path, reader)
    assert caught.value.code == 400
    assert "--photo FILE" in (caught.value.hint or "")
    return caught.value.detail


async def test_a_file_is_opened_with_its_size_and_name(ground: Path) -> None:
    opened = await LocalFiles().open(file(ground / "chart.png"), ME)

    with opened.file:
        assert (opened.size, opened.name, opened.file.read()) == (7, "chart.png", b"content")
        assert not os.get_inheritable(opened.file.fileno())


# The kernel decides

# Tags and rights of an ACL as the kernel stores them: owner, a user, the file's group, a group, mask, others.
OWNER, USER, GROUP_OF_FILE, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NOBODY = 0xFFFFFFFF


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


ACLS = [
    acl((OWNER, 6, NOBODY), (USER, 5, BERT), (GROUP_OF_FILE, 0, NOBODY), (MASK, 5, NOBODY), (OTHER, 0, NOBODY)),
    acl((OWNER, 6, NOBODY), (USER, 0, BERT), (GROUP_OF_FILE, 5, NOBODY), (MASK, 7, NOBODY), (OTHER, 5, NOBODY)),
    acl((OWNER, 7, NOBODY), (USER, 7, BERT), (GROUP_OF_FILE, 7, NOBODY), (MASK, 0, NOBODY), (OTHER, 5, NOBODY)),
    acl((OWNER, 0, NOBODY), (GROUP_OF_FILE, 0, NOBODY), (GROUP, 5, OTHERS), (MASK, 7, NOBODY), (OTHER, 0, NOBODY)),
    acl((OWNER, 5, NOBODY), (GROUP_OF_FILE, 5, NOBODY), (GROUP, 0, OTHERS), (MASK, 5, NOBODY), (OTHER, 5, NOBODY)),
    acl((OWNER, 5, NOBODY), (GROUP_OF_FILE, 1, NOBODY), (GROUP, 4, OTHERS), (MASK, 5, NOBODY), (OTHER, 7, NOBODY)),
]
MODES = [0o000, 0o700, 0o070, 0o007, 0o077, 0o644, 0o640, 0o711, 0o751, 0o440]
READERS = [
    PeerCredentials(ANNA, frozenset({TEAM})),
    PeerCredentials(BERT, frozenset({TEAM})),
    PeerCredentials(BERT, frozenset({OTHERS})),
    PeerCredentials(CARL, frozenset({OTHERS, TEAM})),
    PeerCredentials(CARL, frozenset({CARL})),
    PeerCredentials(0, frozenset({0})),
]
# Another user may not be able to run this Python, so root starts it, and it changes its user.
BECOME = """
import ctypes, json, os, socket, sys
def become(uid, groups):
    os.setgroups(groups)
    os.setgid(groups[0])
    os.setuid(uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: it owns /proc/self, like a process of this user
"""
TRY_ALL = f"""
{BECOME}
paths = json.load(sys.stdin)
become(int(sys.argv[1]), json.loads(sys.argv[2]))
for path in paths:
    try:
        os.close(os.open(path, os.O_RDONLY))
        print(path)
    except OSError:
        pass
"""


def allowed_by_the_kernel(paths: list[str], reader: PeerCredentials) -> set[str]:
    """Return the paths that a process of this user can open."""
    groups = sorted(reader.groups)
    command = [sys.executable, "-I", "-c", TRY_ALL, str(reader.uid), json.dumps(groups)]
    tried = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, check=True, timeout=60)
    return set(tried.stdout.splitlines())


def allowed_by_us(paths: list[str], reader: PeerCredentials) -> set[str]:
    allowed = set()
    for path in paths:
        try:
            open_as(path, reader).file.close()
            allowed.add(path)
        except NotReadable:
            pass
    return allowed


def make_all_kinds(ground: Path) -> list[str]:
    """Create folders and files of every mode and ACL; each folder has a readable file, each file an open folder."""
    paths = []
    for index, (mode, special) in enumerate([*((mode, None) for mode in MODES), *((0o600, acl) for acl in ACLS)]):
        folder = ground / f"folder-{index}"
        folder.mkdir()
        paths += [file(folder / "open"), file(ground / f"file-{index}", mode=mode, uid=ANNA, gid=TEAM)]
        os.chown(folder, ANNA, TEAM)
        folder.chmod(mode)
        if special is not None:
            os.setxattr(folder, "system.posix_acl_access", special)
            os.setxattr(ground / f"file-{index}", "system.posix_acl_access", special)
    return paths


@needs_root
@pytest.mark.parametrize("reader", READERS)
def test_a_caller_reads_exactly_what_the_kernel_allows(ground: Path, reader: PeerCredentials) -> None:
    try:
        paths = make_all_kinds(ground)
    except OSError as error:
        pytest.skip(f"this file system keeps no ACLs: {error.strerror}")

    assert allowed_by_us(paths, reader) == allowed_by_the_kernel(paths, reader)


@needs_root
def test_the_owners_bits_alone_decide_for_the_owner(ground: Path) -> None:
    path = file(ground / "mine", mode=0o044, uid=ANNA, gid=TEAM)

    assert refusal(path, PeerCredentials(ANNA, frozenset({TEAM}))) == "You do not have permission to read this file."
    assert content_of(path, PeerCredentials(BERT, frozenset({TEAM}))) == "content"


@needs_root
def test_a_folder_without_search_permission_reveals_nothing(ground: Path) -> None:
    (ground / "closed").mkdir(mode=0o700)
    file(ground / "closed" / "there")
    (ground / "closed" / "link").symlink_to("/etc/passwd")
    (ground / "closed" / "folder").mkdir()
    stranger = PeerCredentials(BERT, frozenset())

    answers = {refusal(f"{ground}/closed/{name}", stranger) for name in ("there", "missing", "link", "folder", "x/y")}
    assert answers == {"You do not have permission to read this file."}


AS_A_DAEMON = f"""
{BECOME}
sys.path.insert(0, sys.argv[1])
from notifybot.files.local import NotReadable, PeerCredentials, open_as
become({CARL}, [{CARL}])
open_as(sys.argv[2], PeerCredentials({ANNA}, frozenset())).file.close()
try:
    open_as(sys.argv[3], PeerCredentials({ANNA}, frozenset()))
except NotReadable as error:
    print(error.detail, error.hint)
"""


@needs_root
def test_a_file_the_daemon_cannot_read_must_be_uploaded(ground: Path) -> None:
    path = file(ground / "private.png", mode=0o600, uid=ANNA)
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", AS_A_DAEMON, root, file(ground / "public.png"), path]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert said.startswith("The daemon does not have permission to read this file. Upload the file instead")


# Paths


@pytest.mark.parametrize(
    "form", ["{0}//a.txt", "{0}/./a.txt", "{0}/folder/../a.txt", "//{0}/a.txt", "{0}/folder/.././/a.txt"]
)
def test_a_path_is_resolved_like_the_kernel_does(ground: Path, form: str) -> None:
    file(ground / "a.txt")
    (ground / "folder").mkdir()

    assert content_of(form.format(ground)) == "content"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("relative.png", "absolute"),
        ("", "absolute"),
        ("~/x.png", "absolute"),
        ("../../etc/passwd", "absolute"),
        ("file:///etc/passwd", "absolute"),
        ("/etc/passwd\0.png", "a file name cannot have"),
        ("/\ud800", "a file name cannot have"),
        ("/" + "x" * 256, "too long"),
        ("/" + "ä" * 128, "too long"),
        ("/x" * 2048, "too long"),
        ("/", "folder"),
        ("/etc/", "folder"),
        ("/etc/passwd/.", "folder"),
        ("/etc/..", "folder"),
        ("/etc/passwd/x", "No such file"),
        ("/nowhere/at/all", "No such file"),
        ("/etc", "not a regular file"),
    ],
)
def test_a_path_to_no_file_is_refused(path: str, reason: str) -> None:
    assert reason in refusal(path)


@needs_root
def test_going_up_again_needs_search_permission(ground: Path) -> None:
    (ground / "closed").mkdir(mode=0o700)
    file(ground / "a.txt")

    assert "do not have permission" in refusal(f"{ground}/closed/../a.txt", PeerCredentials(BERT, frozenset()))


# Links


def test_a_link_at_the_end_is_refused_wherever_it_leads(ground: Path) -> None:
    (ground / "link").symlink_to(file(ground / "a.txt"))
    (ground / "dangling").symlink_to("nowhere")

    assert {refusal(f"{ground}/{name}") for name in ("link", "dangling")} == {
        "The path is a symbolic link, which is not followed."
    }


def test_links_between_are_followed(ground: Path) -> None:
    (ground / "data" / "deep").mkdir(parents=True)
    file(ground / "data" / "deep" / "a.txt")
    (ground / "relative").symlink_to("data/deep")
    (ground / "absolute").symlink_to(ground / "relative")
    (ground / "data" / "up").symlink_to("../data")

    assert {content_of(f"{ground}/{way}/a.txt") for way in ("relative", "absolute", "data/up/deep")} == {"content"}


@needs_root
def test_a_link_gives_nobody_a_right(ground: Path) -> None:
    (ground / "closed").mkdir(mode=0o700)
    file(ground / "closed" / "a.txt")
    (ground / "open").symlink_to("closed")

    assert (
        refusal(f"{ground}/open/a.txt", PeerCredentials(BERT, frozenset()))
        == "You do not have permission to read this file."
    )


def test_links_in_a_circle_are_refused(ground: Path) -> None:
    (ground / "first").symlink_to("second")
    (ground / "second").symlink_to("first")

    assert "links that are not followed" in refusal(f"{ground}/first/a.txt")


@needs_root
def test_a_strangers_link_in_a_shared_folder_is_not_followed(ground: Path) -> None:
    (ground / "data").mkdir()
    (ground / "shared").mkdir()
    (ground / "shared").chmod(0o1777)
    file(ground / "data" / "a.txt")
    (ground / "shared" / "trap").symlink_to("../data")
    os.chown(ground / "shared" / "trap", BERT, -1, follow_symlinks=False)

    assert "links that are not followed" in refusal(f"{ground}/shared/trap/a.txt", PeerCredentials(ANNA, frozenset()))
    assert content_of(f"{ground}/shared/trap/a.txt", PeerCredentials(BERT, frozenset())) == "content"


# Not a regular file


def test_a_pipe_is_refused_without_blocking(ground: Path) -> None:
    os.mkfifo(ground / "pipe")

    assert "not a regular file" in refusal(f"{ground}/pipe")


def test_a_socket_is_refused(ground: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{ground}/socket")

        assert "not a regular file" in refusal(f"{ground}/socket")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty", "/dev/urandom"])
def test_a_device_is_refused(device: str) -> None:
    assert "not a regular file" in refusal(device)


@needs_root
def test_the_callers_own_device_is_refused_unopened(ground: Path) -> None:
    try:
        os.mknod(ground / "disk", stat.S_IFBLK | 0o666, os.makedev(240, 0))
    except PermissionError:
        pytest.skip("no devices can be made here")

    assert "not a regular file" in refusal(f"{ground}/disk")


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/proc/self/maps", "/proc/self/cwd/x", "/proc/cpuinfo", "/proc/1/status"]
)
def test_the_kernels_own_files_are_refused(path: str) -> None:
    assert "never read" in refusal(path)


def test_a_link_into_the_kernels_files_is_refused(ground: Path) -> None:
    (ground / "me").symlink_to("/proc/self")

    assert "never read" in refusal(f"{ground}/me/environ")


# Races


@contextlib.contextmanager
def meanwhile(steps: Iterable[Callable[[], None]]) -> Iterator[None]:
    """Repeat these steps on another thread while the block runs."""
    over = threading.Event()

    def go() -> None:
        for step in itertools.cycle(steps):
            if over.is_set():
                return
            step()

    other_side = threading.Thread(target=go)
    other_side.start()
    try:
        yield
    finally:
        over.set()
        other_side.join()


def exchange_for(path: Path, make: Callable[[Path], object]) -> Callable[[], None]:
    """Return a step that atomically replaces a path with something else."""
    beside = path.with_name("next")

    def exchange() -> None:
        make(beside)
        beside.replace(path)
        beside.unlink(missing_ok=True)  # two names of one file: no exchange

    return exchange


def contents_seen(path: Path, reader: PeerCredentials, times: int) -> set[str]:
    """Open it at least `times` times, and until the results differ (or very often); return the results."""
    contents: set[str] = set()
    for turn in range(100 * times):
        if turn >= times and len(contents) > 1:
            break
        try:
            contents.add(content_of(str(path), reader))
        except NotReadable:
            contents.add("refused")
    return contents


@needs_root
def test_a_file_that_is_exchanged_meanwhile_is_never_a_forbidden_one(ground: Path) -> None:
    secret = file(ground / "secret", "secret", mode=0o600)
    path = ground / "a.png"
    steps = [
        exchange_for(path, lambda new: file(new, "public")),
        exchange_for(path, lambda new: new.hardlink_to(secret)),
        exchange_for(path, lambda new: new.symlink_to(secret)),
    ]
    with meanwhile(steps):
        assert contents_seen(path, PeerCredentials(ANNA, frozenset()), 1000) == {"public", "refused"}


def test_a_file_replaced_by_a_pipe_meanwhile_does_not_block(ground: Path) -> None:
    path = ground / "a.png"
    steps = [exchange_for(path, lambda new: file(new, "public")), exchange_for(path, os.mkfifo)]
    with meanwhile(steps):
        assert contents_seen(path, ME, 5000) == {"public", "refused"}


@needs_root
def test_a_folder_that_is_exchanged_for_a_link_meanwhile_leads_nowhere_forbidden(ground: Path) -> None:
    (ground / "closed").mkdir(mode=0o700)
    file(ground / "closed" / "a.png", "secret")
    (ground / "real").mkdir()
    file(ground / "real" / "a.png", "public")
    steps = [
        exchange_for(ground / "way", lambda new: new.symlink_to("real")),
        exchange_for(ground / "way", lambda new: new.symlink_to("closed")),
    ]
    with meanwhile(steps):
        assert contents_seen(ground / "way" / "a.png", PeerCredentials(ANNA, frozenset()), 1000) == {
            "public",
            "refused",
        }


def test_no_descriptor_is_left_open_whatever_happens(ground: Path) -> None:
    file(ground / "a.txt")
    (ground / "link").symlink_to("a.txt")
    (ground / "here").symlink_to(".")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    content_of(f"{ground}/here/here/../{ground.name}/a.txt")
    for path in (f"{ground}/link", f"{ground}/missing", f"{ground}/a.txt/x", "/dev/null", "/proc/self/maps", "/etc"):
        refusal(path)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# Callers

CONNECT = f"""
{BECOME}
become({ANNA}, [{ANNA}, {TEAM}, {OTHERS}])
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.recv(1)
"""


@needs_root
def test_the_kernel_reports_all_groups_of_the_peer(ground: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{ground}/socket")
        (ground / "socket").chmod(0o666)
        listener.listen()
        command = [sys.executable, "-I", "-c", CONNECT, f"{ground}/socket"]
        caller = subprocess.Popen(command)
        connection, _ = listener.accept()
        with connection:
            reader = peer_credentials(connection)
        caller.wait(timeout=30)

    assert reader == PeerCredentials(ANNA, frozenset({ANNA, TEAM, OTHERS}))
