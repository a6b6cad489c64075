"""The real command in a process of its own: what it loads, its streams, signals and terminals."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from notifybot import __version__
from tests.cli.standin import StandIn, a_message, message_id, misbehaving

NOTIFYBOT = (sys.executable, "-m", "notifybot")
CLIENT_COMMANDS = (
    ["send", "--to", "5", "text"],
    ["messages"],
    ["messages", "show", message_id(1)],
    ["messages", "ack", message_id(1)],
    ["messages", "close", message_id(1)],
    ["messages", "cancel", message_id(1)],
    ["open"],
    ["health"],
    ["--help"],
)
REPORT_FOREIGN_MODULES = """
import sys
from notifybot.cli import main
assert main(sys.argv[1:]) == 0
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(",".join(sorted(name for name in foreign if not name.startswith("_"))))
print(",".join(name for name in ("asyncio", "http.client", "ssl", "typing") if name in sys.modules))
"""


def notifybot(*argv: str, given: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*NOTIFYBOT, *argv], capture_output=True, timeout=60, env={**os.environ, **environ}, check=False, input=given
    )


@pytest.mark.parametrize("argv", CLIENT_COMMANDS, ids=" ".join)
def test_client_commands_load_nothing_but_the_standard_library(argv: list[str], daemon: StandIn) -> None:
    daemon.add(a_message(1))
    daemon.health = {"status": "ok", "telegram": "ok", "database": "ok", "jobs": "ok"}

    done = subprocess.run(
        [sys.executable, "-c", REPORT_FOREIGN_MODULES, *argv], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.splitlines()[-2:] == ["notifybot", ""]


def test_the_version_is_told() -> None:
    assert notifybot("--version").stdout.decode() == f"notifybot {__version__}\n"


def test_text_is_taken_from_a_pipe(daemon: StandIn) -> None:
    done = notifybot("send", "--to", "5", given="Größe\n".encode())

    assert (done.returncode, done.stderr) == (0, b"")
    assert daemon.bodies()[0]["content"] == "Größe"


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-"])
def test_without_text_and_input_nothing_is_sent(redirection: str, daemon: StandIn) -> None:
    script = f'"$@" send --to 5 {redirection}'

    done = subprocess.run(["/bin/sh", "-c", script, "sh", *NOTIFYBOT], capture_output=True, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 2
    assert daemon.asked == []


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def interrupt(connection: socket.socket) -> None:
        processes[0].send_signal(signal.SIGINT)
        connection.recv(1)  # until it has left

    with misbehaving(tmp_path / "s", interrupt):
        processes.append(
            subprocess.Popen(
                [*NOTIFYBOT, "send", "--to", "5", "--socket", str(tmp_path / "s"), "text"], stderr=subprocess.PIPE
            )
        )
        _, err = processes[0].communicate(timeout=60)

    assert (processes[0].returncode, err) == (130, b"")


def test_a_reader_that_has_left_is_no_failure(daemon: StandIn) -> None:
    daemon.add(*(a_message(number, content="x" * 1000) for number in range(1, 100)))
    read_end, write_end = os.pipe()
    os.close(read_end)

    done = subprocess.run([*NOTIFYBOT, "messages"], stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False)

    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_said(daemon: StandIn) -> None:
    daemon.add(a_message(1))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*NOTIFYBOT, "messages"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(b"error: Standard output cannot be written") and done.stderr.count(b"\n") == 2


def test_a_locale_that_cannot_write_a_character_does_not_break_the_output(daemon: StandIn) -> None:
    daemon.add(a_message(1, content="Größe 磁盘"))

    table = notifybot("messages", PYTHONIOENCODING="ascii")
    machine = notifybot("messages", "list", "--json", PYTHONIOENCODING="ascii")

    assert (table.returncode, table.stdout.splitlines()[1][-22:]) == (0, rb"Gr\xf6\xdfe \u78c1\u76d8"[-22:])
    assert json.loads(machine.stdout)["messages"][0]["content"] == "Größe 磁盘"


def on_a_terminal(*argv: str, **environ: str) -> str:
    """Run with standard output on a terminal and return what it shows there."""
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        done = subprocess.run(
            [*NOTIFYBOT, *argv], stdout=terminal, timeout=60, env={**os.environ, "TERM": "xterm", **environ}, check=True
        )
        assert done.returncode == 0
        os.close(terminal)
        shown = b""
        try:
            while part := screen.read(65_536):
                shown += part
        except OSError:  # Linux's way to say that nobody writes any more
            pass
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_lines_that_fit(daemon: StandIn) -> None:
    daemon.add(a_message(1, content="x" * 300, status="failed"))

    line = on_a_terminal("messages", COLUMNS="100").splitlines()[1]

    assert "\x1b[31mfailed\x1b[0m" in line
    assert len(line.replace("\x1b[31m", "").replace("\x1b[0m", "")) == 100


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_declined(environ: dict[str, str], daemon: StandIn) -> None:
    daemon.add(a_message(1, status="failed"))

    assert "\x1b" not in on_a_terminal("messages", **environ)


def test_a_config_to_start_from_is_written_for_its_owner_and_is_right(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"

    written = notifybot("config", "init", str(path))
    checked = notifybot("config", "check", "--config", str(path))

    assert (written.returncode, written.stderr) == (0, b"")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert checked.stdout.startswith(f"{path} is right.\n".encode())


def test_a_config_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine: 1\n")

    done = notifybot("config", "init", str(path))

    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 2
    assert path.read_text() == "mine: 1\n"


def test_config_check_names_everything_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("alerts:\n  escalate_after: soon\nsokcet: {}\n")

    done = notifybot("config", "check", "--config", str(path))

    *problems, error, hint = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert [line.split(": ")[0] for line in problems] == [f"{path}:2:19", f"{path}:3:1"]
    assert error == "error: Invalid config: 2 problems."
    assert hint.startswith("hint: ")


def test_a_single_problem_is_the_error_itself(tmp_path: Path) -> None:
    done = notifybot("config", "check", "--config", str(tmp_path / "none.yaml"))

    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"error: {tmp_path}/none.yaml:") and done.stderr.count(b"\n") == 2


def test_config_check_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("database: {url: 'postgresql://bot:hunter2@db/x'}\n")
    token = "123456789:" + "A" * 35

    done = notifybot("config", "check", "--config", str(path), TELEGRAM_BOT_TOKEN=token)

    assert done.returncode == 0
    assert b"hunter2" not in done.stdout and token.encode() not in done.stdout
    assert b"postgresql://bot:***@db/x" in done.stdout
