"""The real command in its own process: imports, streams, signals and terminals."""

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
from tests.cli.standin import StandIn, a_message, accepted, message_id, misbehaving

NOTIFYBOT = (sys.executable, "-m", "notifybot")
CLIENT_COMMANDS = (
    ["send", "--to", "5", "text"],
    ["messages"],
    ["messages", "show", message_id(1)],
    ["messages", "ack", message_id(1)],
    ["messages", "close", message_id(1)],
    ["messages", "cancel", message_id(1)],
    ["messages", "edit", message_id(1), "text"],
    ["messages", "file", message_id(1), "1", "-o", "/dev/null"],
    ["send", "--to", "5", "--file", __file__],
    ["open"],
    ["messages", "unack", message_id(1)],
    ["messages", "retry", message_id(1)],
    ["send", "--to", "5", "--every", "mon 9:00", "--at", "+2h", "--time-zone", "Europe/Berlin", "text"],
    ["event", "post_success", "--to", "5", "--data", "platform=Mastodon"],
    ["schedules"],
    ["oncall"],
    ["jobs"],
    ["health"],
    ["--help"],
)
REPORT_MODULES = """
import sys
from notifybot.__main__ import main
assert main() == 0
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(",".join(sorted(name for name in foreign if not name.startswith("_"))))
print(" ".join(sys.modules))
"""
SLOW_MODULES = {
    *("asyncio", "http.client", "ssl", "typing", "email", "logging", "dataclasses", "inspect", "ast", "dis"),
    *("tokenize", "difflib", "decimal", "subprocess", "unicodedata", "string", "textwrap", "tempfile", "shutil"),
    *("lzma", "bz2", "pathlib", "urllib.parse", "zoneinfo", "pwd"),
}
"""Standard modules that take long to import."""
OF_FILES = {"pathlib", "urllib.parse"}
OF_TIMES = {"zoneinfo", "dataclasses", "inspect", "ast", "dis", "tokenize", *OF_FILES}
NEEDED = {
    **dict.fromkeys(("--file", "file", "import"), OF_FILES),
    **dict.fromkeys(("--every", "schedules", "oncall"), OF_TIMES),
    "--help": {"textwrap"},
}
"""Those that commands with this word may import; some versions of Python need fewer."""


def notifybot(*argv: str, given: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*NOTIFYBOT, *argv], capture_output=True, timeout=60, env={**os.environ, **environ}, check=False, input=given
    )


def modules_of(argv: list[str]) -> tuple[str, set[str]]:
    """Run a command and return the packages outside the standard library, and the slow modules, that it loads."""
    command = [sys.executable, "-c", REPORT_MODULES, *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    foreign, loaded = done.stdout.splitlines()[-2:]
    return foreign, SLOW_MODULES & set(loaded.split())


def needed_by(argv: list[str]) -> set[str]:
    return set[str]().union(*(NEEDED.get(word, set()) for word in argv))


@pytest.mark.parametrize("argv", CLIENT_COMMANDS, ids=" ".join)
def test_client_commands_load_only_the_standard_library_and_of_it_what_they_need(
    argv: list[str], daemon: StandIn
) -> None:
    daemon.add(a_message(1, attachments=[{"name": "a.log", "kind": "document", "href": "/files/a.log"}]))
    daemon.files["a.log"] = b"content"
    daemon.health = {"status": "ok", "telegram": "ok", "database": "ok", "jobs": "ok"}
    daemon.canned = {
        "GET /api/schedules": {"schedules": []},
        "GET /api/oncall": {"rotations": []},
        "GET /api/admin/scheduler/status": {"jobs": []},
        "POST /api/events": accepted(),
    }

    foreign, slow = modules_of(argv)
    assert (foreign, slow - needed_by(argv)) == ("notifybot", set())


REPORT_COLLECTION = """
import gc
from notifybot.__main__ import main
main()
print(gc.isenabled())
"""


@pytest.mark.parametrize(
    ("argv", "is_on"),
    [(["--version"], False), (["send", "--to", "5", "text"], False), (["run", "--config", "missing.yaml"], True)],
)
def test_only_the_daemon_collects_garbage(argv: list[str], is_on: bool, daemon: StandIn) -> None:
    command = [sys.executable, "-c", REPORT_COLLECTION, *argv]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.splitlines()[-1] == str(is_on)


def test_the_version_is_printed() -> None:
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


@pytest.mark.parametrize("redirection", ['< "$FILE"', '< <(cat "$FILE")', '< "$FILE" --file-name report.bin'])
def test_a_file_comes_from_standard_input_of_any_kind(redirection: str, daemon: StandIn, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(content)
    script = f'"$@" send --to 5 --file - {redirection}'
    command = ["/bin/bash", "-c", script, "bash", *NOTIFYBOT]

    done = subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={**os.environ, "FILE": str(tmp_path / "file")}
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert [(each.name, each.content) for each in daemon.uploaded] == [
        ("report.bin" if "report" in redirection else "stdin", content)
    ]


def test_standard_input_is_sent_from_its_current_position(daemon: StandIn, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"first line\nthe rest\n")
    script = '(read line; "$@" send --to 5 --file -) < "$FILE"'
    command = ["/bin/bash", "-c", script, "bash", *NOTIFYBOT]

    subprocess.run(command, timeout=60, check=True, env={**os.environ, "FILE": str(tmp_path / "file")})

    assert daemon.uploaded[0].content == b"the rest\n"


def test_a_file_from_a_terminal_is_refused(daemon: StandIn) -> None:
    controller, terminal = pty.openpty()

    done = subprocess.run(
        [*NOTIFYBOT, "send", "--to", "5", "--file", "-"],
        stdin=terminal,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )

    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: Standard input is a terminal, not a file.\nhint: ")
    assert daemon.asked == []


# getrusage's ru_maxrss would include the test's own peak, since it survives exec.
REPORT_PEAK = """
import sys
from notifybot.cli import main
assert main(sys.argv[1:]) == 0
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")), file=sys.stderr)
"""


def peak_in_mib(*argv: str) -> int:
    """Return the peak memory of a command."""
    command = [sys.executable, "-c", REPORT_PEAK, *argv]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr) // 1024


def test_a_large_file_is_never_in_memory_whole(daemon: StandIn, tmp_path: Path) -> None:
    for name, size in (("small", 1000), ("large", 50_000_000)):
        (tmp_path / name).write_bytes(bytes(size))
    daemon.files |= {"small": bytes(1000), "large": bytes(50_000_000)}
    names = ("small", "large")
    daemon.add(a_message(1, attachments=[{"name": n, "kind": "document", "href": f"/files/{n}"} for n in names]))

    up = [peak_in_mib("send", "--to", "5", "--file", str(tmp_path / name)) for name in names]
    down = [peak_in_mib("messages", "file", message_id(1), n, "-o", str(tmp_path / "x")) for n in ("1", "2")]

    assert [len(each.content) for each in daemon.uploaded] == [1000, 50_000_000]
    assert (tmp_path / "x").stat().st_size == 50_000_000
    assert up[1] - up[0] < 8
    assert down[1] - down[0] < 8


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def interrupt(connection: socket.socket) -> None:
        processes[0].send_signal(signal.SIGINT)
        connection.recv(1)  # wait until it has left

    with misbehaving(tmp_path / "s", interrupt):
        processes.append(
            subprocess.Popen(
                # A test run in the background of a shell ignores SIGINT, and so would its children.
                [
                    "env",
                    "--default-signal=INT",
                    *NOTIFYBOT,
                    "send",
                    "--to",
                    "5",
                    "--socket",
                    str(tmp_path / "s"),
                    "text",
                ],
                stderr=subprocess.PIPE,
            )
        )
        _, err = processes[0].communicate(timeout=60)

    assert (processes[0].returncode, err) == (130, b"")


def test_a_closed_pipe_is_no_failure(daemon: StandIn) -> None:
    daemon.add(*(a_message(number, content="x" * 1000) for number in range(1, 100)))
    read_end, write_end = os.pipe()
    os.close(read_end)

    done = subprocess.run([*NOTIFYBOT, "messages"], stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False)

    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_an_error(daemon: StandIn) -> None:
    daemon.add(a_message(1))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*NOTIFYBOT, "messages"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(b"error: Cannot write to standard output") and done.stderr.count(b"\n") == 2


def test_a_locale_that_cannot_encode_a_character_does_not_break_the_output(daemon: StandIn) -> None:
    daemon.add(a_message(1, content="Größe 磁盘"))

    table = notifybot("messages", PYTHONIOENCODING="ascii")
    machine = notifybot("messages", "list", "--json", PYTHONIOENCODING="ascii")

    assert (table.returncode, table.stdout.splitlines()[1][-22:]) == (0, rb"Gr\xf6\xdfe \u78c1\u76d8"[-22:])
    assert json.loads(machine.stdout)["messages"][0]["content"] == "Größe 磁盘"


def on_a_terminal(*argv: str, **environ: str) -> str:
    """Run with standard output on a terminal and return the screen."""
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
        except OSError:  # on Linux, this means end of file
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


def test_config_init_writes_a_valid_config_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"

    written = notifybot("config", "init", str(path))
    checked = notifybot("config", "check", "--config", str(path))

    assert (written.returncode, written.stderr) == (0, b"")
    assert path.stat().st_mode & 0o777 == 0o600
    assert checked.returncode == 0
    assert checked.stdout.startswith(f"{path} is valid.\n".encode())
    assert [line.split(":")[0:2] for line in checked.stderr.decode().splitlines()] == [
        ["warning", " No bot token is configured"],
        ["warning", " No escalation channel is configured"],
    ]


def test_config_init_does_not_overwrite_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine: 1\n")

    done = notifybot("config", "init", str(path))

    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 2
    assert path.read_text() == "mine: 1\n"


def test_config_check_reports_every_problem(tmp_path: Path) -> None:
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


def test_config_check_renders_the_templates(tmp_path: Path) -> None:
    path, folder = tmp_path / "config.yaml", tmp_path / "templates"
    folder.mkdir()
    path.write_text(f"templates: {folder}\n")
    (folder / "down.txt").write_text('---\nsample: {"host": "db1"}\n---\n{{ host }}')
    (folder / "up.txt").write_text("{{ host }}")

    done = notifybot("config", "check", "--config", str(path))

    assert done.returncode == 0
    *_, listed, remark = done.stdout.decode().splitlines()
    assert listed == "  templates 5: automation_executed, down, post_failure, post_success, up"
    assert remark.strip() == "up has no sample: only its syntax was checked"


def test_config_check_reports_problems_in_templates(tmp_path: Path) -> None:
    path, folder = tmp_path / "config.yaml", tmp_path / "templates"
    folder.mkdir()
    path.write_text(f"templates: {folder}\n")
    (folder / "down.txt").write_text("fine\n{{ host")
    (folder / "up.txt").write_text('---\nsample: {"n": "x"}\n---\n{{ n + 1 }}')

    broken = notifybot("config", "check", "--config", str(path))
    assert broken.returncode == 2
    assert broken.stderr.decode().startswith(f"error: {folder}/down.txt:2: ")

    (folder / "down.txt").unlink()
    unfit = notifybot("config", "check", "--config", str(path))
    assert unfit.returncode == 2
    said = f"error: {folder}/up.txt:4: with its sample: + does not work with a string and a number.\n"
    assert unfit.stderr.decode().startswith(said)


def test_config_check_prints_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("database: {url: 'postgresql://bot:hunter2@db/x'}\n")
    token = "123456789:" + "A" * 35

    done = notifybot("config", "check", "--config", str(path), TELEGRAM_BOT_TOKEN=token)

    assert done.returncode == 0
    assert b"hunter2" not in done.stdout and token.encode() not in done.stdout
    assert b"postgresql://bot:***@db/x" in done.stdout
