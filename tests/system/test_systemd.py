"""Notifications to systemd, and sockets from it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from notifybot.system.systemd import listen_fds, notify, watchdog_interval

# Like systemd between fork and exec: the listening socket becomes descriptor 3, a datagram socket 4.
INHERIT = """
import os, sys
for source, target in zip(map(int, sys.argv[1].split(",")), (3, 4, 5)):
    os.dup2(source, target, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-c", sys.argv[2]])
"""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "notifybot.sock"))
        made.listen()
        yield made


@pytest.mark.parametrize("address", ["path", "@abstract"])
def test_a_state_reaches_the_notify_socket(tmp_path: Path, address: str) -> None:
    given = f"@notifybot-test-{os.getpid()}" if address == "@abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(given.replace("@", "\0"))
        assert notify("READY=1\nSTATUS=waiting for Telegram", environ={"NOTIFY_SOCKET": given})
        assert manager.recv(100) == b"READY=1\nSTATUS=waiting for Telegram"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path", "/nowhere/notify", "/" + "x" * 500])
def test_without_a_notify_socket_nothing_is_sent(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})


def test_without_the_variable_nothing_is_sent() -> None:
    assert not notify("READY=1", environ={})


def _run_as_service(fds: list[int], code: str, **environ: str) -> str:
    command = [sys.executable, "-c", INHERIT, ",".join(map(str, fds)), code]
    environment = os.environ | environ
    ran = subprocess.run(command, env=environment, pass_fds=fds, capture_output=True, text=True, timeout=30, check=True)
    return ran.stdout.strip()


def test_an_inherited_socket_is_taken_over_and_closed_to_children(listener: socket.socket) -> None:
    code = (
        "from notifybot.system.systemd import listen_fds; (one,) = listen_fds();"
        "print(one.fileno(), one.getsockname(), one.get_inheritable())"
    )
    shown = _run_as_service([listener.fileno()], code, LISTEN_FDS="1")
    assert shown == f"3 {listener.getsockname()} False"


def test_descriptors_that_do_not_listen_are_left_alone(listener: socket.socket) -> None:
    code = "import os; from notifybot.system.systemd import listen_fds; print(len(listen_fds())); os.fstat(4)"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        assert _run_as_service([listener.fileno(), datagram.fileno()], code, LISTEN_FDS="2") == "1"


def test_more_descriptors_announced_than_there_are_do_no_harm(listener: socket.socket) -> None:
    code = "from notifybot.system.systemd import listen_fds; print(len(listen_fds()))"
    assert _run_as_service([listener.fileno()], code, LISTEN_FDS="5") == "1"


def test_sockets_can_be_chosen_by_name(listener: socket.socket) -> None:
    code = (
        "from notifybot.system.systemd import listen_fds;"
        "print([one.fileno() for one in listen_fds(name='api')], len(listen_fds(name='other')))"
    )
    fds = [listener.fileno(), listener.fileno()]
    assert _run_as_service(fds, code, LISTEN_FDS="2", LISTEN_FDNAMES="page:api") == "[4] 0"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_PID": "77"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "77"},
        {"LISTEN_FDS": "-1", "LISTEN_PID": "77"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "77"},
    ],
)
def test_sockets_meant_for_nobody_or_another_process_are_not_taken(environ: dict[str, str]) -> None:
    assert listen_fds(environ, 77) == []


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=15)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, timedelta(seconds=15)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(environ: dict[str, str], interval: timedelta | None) -> None:
    assert watchdog_interval(environ, 77) == interval
