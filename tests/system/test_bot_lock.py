"""The lock of a bot among strangers, who can take its names but do not know the token."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from notifybot.errors import StartRefused
from notifybot.system import bot_lock
from notifybot.system.bot_lock import hold_bot
from notifybot.system.locks import Held
from tests.stories.conftest import MakeWorld, another

__all__ = ["another"]

NOBODY, SOMEBODY = 65534, 65533
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")

SIT = """
import os, socket, sys, threading, time
how, uid, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
os.setgroups([]); os.setgid(uid); os.setuid(uid)
taken = []
for name in names:
    taken.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if how == "datagram" else socket.SOCK_STREAM))
    taken[-1].bind(chr(0) + name)
    if how not in ("unheard", "datagram"):
        taken[-1].listen(0 if how == "full" else 64)
if how == "full":
    lines = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for line in lines:
        line.setblocking(False)
        try:
            line.connect(chr(0) + names[0])
        except BlockingIOError:
            pass
print("sits", flush=True)
def answer():
    while True:
        line, _ = taken[0].accept()
        if how == "hangs up":
            line.close()
        elif how == "echo":
            line.sendall(line.recv(32))
        elif how == "noise":
            line.sendall(os.urandom(32))
        elif how == "talks":
            line.sendall(b"x" * 100_000)
if how in ("hangs up", "echo", "noise", "talks"):
    threading.Thread(target=answer, daemon=True).start()
sys.stdin.read()
"""
HOLD = """
import os, sys
from notifybot.system.bot_lock import hold_bot
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
held = hold_bot(sys.argv[2])
print("holds", flush=True)
sys.stdin.read()
"""
NAMED, UNNAMED = [f"Process {{}} (uid {NOBODY})"], ["A process that does not answer"]
HOW = {
    "silent": NAMED,
    "hangs up": NAMED,
    "echo": NAMED,
    "noise": NAMED,
    "talks": NAMED,
    "unheard": UNNAMED,
    "full": UNNAMED,
    "datagram": [],  # its names are others
}


@pytest.fixture
def token() -> str:
    return f"{os.getpid()}:{os.urandom(16).hex()}"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_lock, "PROVES_WITHIN_S", 0.3)


def names_of(token: str, count: int = 1) -> list[str]:
    """Learn names of the lock as a stranger can: from the list of sockets, while a daemon holds it."""
    with contextlib.ExitStack() as stack:
        known: list[str] = []
        for _ in range(count):
            if known:
                stack.enter_context(sitting("silent", known[-1:]))
            with hold_bot(token):
                lines = Path("/proc/net/unix").read_text().splitlines()
                seen = [line.rpartition("@")[2] for line in lines if "@notifybot-" in line]
                found = [name for name in seen if name in {bot_lock._name(token, n) for n in range(count)} - set(known)]
                known += found
        return known


@contextlib.contextmanager
def running(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() in ("sits", "holds")
        try:
            yield process
        finally:
            process.kill()


def sitting(how: str, names: list[str], uid: int = NOBODY) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return running(SIT, how, str(uid), *names)


@only_root
@pytest.mark.parametrize(("how", "reported"), HOW.items())
def test_a_stranger_that_occupies_the_lock_is_ignored_and_reported(how: str, reported: list[str], token: str) -> None:
    with sitting(how, names_of(token)) as stranger, hold_bot(token) as held:
        assert is_held(token)
        assert len(held.warnings) == len(reported)
        assert all(map(str.startswith, held.warnings, (each.format(stranger.pid) for each in reported)))
    assert not is_held(token)


def is_held(token: str) -> bool:
    try:
        hold_bot(token).release()
    except StartRefused:
        return True
    return False


@only_root
def test_strangers_that_take_each_name_they_see_do_not_catch_up(token: str) -> None:
    with sitting("silent", names_of(token, 3)), hold_bot(token) as held:
        assert len(held.warnings) == 3
        assert is_held(token)


@only_root
@pytest.mark.parametrize("is_occupied", [False, True])
@pytest.mark.parametrize(("first", "second"), [(NOBODY, 0), (NOBODY, SOMEBODY), (0, NOBODY), (NOBODY, NOBODY)])
@pytest.mark.slow_because("it starts daemons of two users")
def test_two_daemons_of_one_token_never_run_whoever_starts_them(
    token: str, first: int, second: int, is_occupied: bool
) -> None:
    with contextlib.ExitStack() as stack:
        if is_occupied:
            stack.enter_context(sitting("silent", names_of(token), uid=65532))
        stack.enter_context(running(HOLD, str(first), token))
        command = [sys.executable, "-c", HOLD, str(second), token]
        refused = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert "already runs this bot" in refused.stderr, refused


@only_root
@pytest.mark.parametrize("is_occupied", [False, True])
def test_of_daemons_that_start_at_once_at_most_one_succeeds(token: str, is_occupied: bool) -> None:
    def start(_: int) -> Held | None:
        try:
            return hold_bot(token)
        except StartRefused:
            return None

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(6) as starting:
        if is_occupied:
            stack.enter_context(sitting("silent", names_of(token)))
        for _ in range(5):
            held = [lock for lock in starting.map(start, range(6)) if lock is not None]
            assert len(held) <= 1
            for lock in held:
                lock.release()


@only_root
def test_a_daemon_that_outlives_its_stranger_keeps_the_lock(token: str) -> None:
    with contextlib.ExitStack() as stack:
        with sitting("silent", names_of(token)):
            stack.enter_context(hold_bot(token))
        assert is_held(token)


def test_a_process_of_our_own_user_counts_without_a_proof(token: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(f"\0{names_of(token)[0]}")
        other.listen()
        with pytest.raises(StartRefused, match=f"process {os.getpid()}"):
            hold_bot(token)


@pytest.mark.parametrize("number", [b"", b"x", b"x" * 32, b"x" * 100_000])
def test_whatever_a_stranger_sends_the_lock_stays(token: str, number: bytes) -> None:
    name = names_of(token)[0]
    with hold_bot(token):
        for _ in range(3):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, contextlib.suppress(OSError):
                line.connect(f"\0{name}")
                line.sendall(number)
                assert len(line.recv(1000)) <= bot_lock.CODE_BYTES
        assert is_held(token)


def test_an_answer_does_not_serve_another_bot(token: str) -> None:
    numbers = [os.urandom(32) for _ in range(2)]
    keys = [bot_lock._key(each) for each in (token, f"{token}x")]
    assert len({bot_lock._code(number, key) for number in numbers for key in keys}) == 4


def test_a_released_lock_is_free(token: str) -> None:
    for _ in range(3):
        held: Held = hold_bot(token)
        held.release()
    assert not is_held(token)


@only_root
async def test_a_daemon_starts_although_its_lock_is_occupied_and_says_so(another: MakeWorld) -> None:
    world = await another()
    with sitting("silent", names_of(world.token)) as stranger:
        await world.starts()
        notes = (await world.get("/health"))["warnings"]
    assert any(f"Process {stranger.pid} (uid {NOBODY}) occupies a name" in note for note in notes)
    assert "a process occupies a name of the bot's lock, and is ignored" in world.log
