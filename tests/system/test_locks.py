"""Locks across real processes: one daemon per database, and one per bot."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifybot.errors import StartRefused
from notifybot.system import bot_lock
from notifybot.system.bot_lock import hold_bot
from notifybot.system.locks import Held, hold_file

HOLD = """
import subprocess, sys
from pathlib import Path
from notifybot.system.bot_lock import hold_bot
from notifybot.system.locks import hold_file
held = hold_file(Path(sys.argv[2])) if sys.argv[1] == "file" else hold_bot(sys.argv[2])
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
print(child.pid, flush=True)
input()
"""
KINDS = ["file", "bot"]


@pytest.fixture
def token() -> str:
    return f"{os.getpid()}:{os.urandom(16).hex()}"


@pytest.fixture
def locks(tmp_path: Path, token: str) -> dict[str, tuple[str, Callable[[], Held]]]:
    path = tmp_path / "notifybot.db.lock"
    return {"file": (str(path), lambda: hold_file(path)), "bot": (token, lambda: hold_bot(token))}


@contextmanager
def another_daemon(kind: str, what: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock and has a child that outlives it; end both."""
    command = [sys.executable, "-c", HOLD, kind, what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        child = int(daemon.stdout.readline())
        try:
            yield daemon
        finally:
            daemon.kill()
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_daemon_is_refused_with_the_holders_pid(
    kind: str, locks: dict[str, tuple[str, Callable[[], Held]]]
) -> None:
    what, hold = locks[kind]
    with (
        another_daemon(kind, what) as daemon,
        pytest.raises(StartRefused, match=rf"\(process {daemon.pid}\)") as refused,
    ):
        hold()
    assert refused.value.hint


@pytest.mark.parametrize("kind", KINDS)
def test_sigkill_frees_the_lock_even_with_a_child_still_alive(
    kind: str, locks: dict[str, tuple[str, Callable[[], Held]]]
) -> None:
    what, hold = locks[kind]
    with another_daemon(kind, what) as daemon:
        daemon.kill()
        daemon.wait(timeout=10)
        hold().release()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_is_held_until_the_end_of_its_block(kind: str, locks: dict[str, tuple[str, Callable[[], Held]]]) -> None:
    _, hold = locks[kind]
    with hold() as held:
        with pytest.raises(StartRefused, match=f"process {os.getpid()}"):
            hold()
        held.release()
        held.release()
        hold().release()


def test_the_refused_daemon_leaves_the_holders_pid_readable(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold_file(path):
        for _ in range(2):
            with pytest.raises(StartRefused, match=f"process {os.getpid()}"):
                hold_file(path)


def test_a_shorter_pid_replaces_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("99999999999\n")
    with hold_file(path):
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("name", ["missing/lock", "."])
def test_a_lock_file_that_cannot_be_opened_refuses_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartRefused, match="cannot be opened"):
        hold_file(tmp_path / name)


def test_a_link_in_the_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(StartRefused, match="cannot be opened"):
        hold_file(tmp_path / "lock")
    assert not (tmp_path / "precious").exists()


def test_two_bots_have_separate_locks(token: str) -> None:
    with hold_bot(token), hold_bot(f"{token}x"):
        pass


def test_many_refused_starts_still_end_in_a_refusal(token: str) -> None:
    with hold_bot(token):
        for _ in range(200):
            with pytest.raises(StartRefused, match="already runs this bot"):
                hold_bot(token)


def test_the_name_of_the_lock_does_not_reveal_the_token(token: str) -> None:
    with hold_bot(token):
        names = Path("/proc/net/unix").read_text()
    assert "notifybot-" in names
    assert token.split(":")[1] not in names


def test_without_abstract_sockets_the_bots_lock_is_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    monkeypatch.setattr(bot_lock, "HAS_ABSTRACT_SOCKETS", False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with hold_bot(token), pytest.raises(StartRefused, match=f"process {os.getpid()}"):
        hold_bot(token)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
