"""Virus scanner: its verdict counts, and no verdict means refusal."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from notifybot.errors import NotifybotError, Unavailable, UnsupportedType
from notifybot.files.scan import MAX_CONCURRENT, Scanner, ScanRefused, check_type


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"what is in the file")
    return path


def shell(script: str, *arguments: str) -> list[str]:
    return ["/bin/sh", "-c", script, "scanner", *arguments]


async def refusal(file: Path, command: list[str], *, timeout_s: float = 30) -> NotifybotError:
    with pytest.raises(NotifybotError) as caught:
        await Scanner(command, timeout_s=timeout_s).scan(file)
    return caught.value


async def test_a_clean_file_passes(file: Path) -> None:
    await Scanner(shell("exit 0")).scan(file)


async def test_the_file_is_the_standard_input(file: Path) -> None:
    await Scanner(shell('test "$(cat)" = "what is in the file"')).scan(file)


async def test_the_path_replaces_its_placeholder_in_the_command(file: Path) -> None:
    await Scanner(shell('test "$1" = "--file=$2" && test -f "$2"', "--file={file}", "{file}")).scan(file)


async def test_no_shell_reads_the_path(tmp_path: Path) -> None:
    path = tmp_path / "$(touch pwned); x"
    path.write_text("content")
    await Scanner([sys.executable, "-c", "import sys; open(sys.argv[1]).close()", "{file}"]).scan(path)


async def test_a_refusal_shows_the_first_line_of_the_scanners_output(file: Path) -> None:
    error = await refusal(file, shell('echo; echo "$1: \033[31mEicar\033[0m FOUND." >&2; echo more; exit 1', "{file}"))

    assert isinstance(error, ScanRefused)
    assert error.code == 400
    assert error.detail == "The scanner refused the file: the file: [31mEicar[0m FOUND."


async def test_a_program_may_refuse_without_output(file: Path) -> None:
    assert (await refusal(file, ["false"])).detail == "The scanner refused the file."


async def test_only_the_start_of_the_output_is_kept(file: Path) -> None:
    error = await refusal(file, shell("head -c 10000000 /dev/zero | tr '\\0' x; exit 1"))

    assert error.detail == f"The scanner refused the file: {'x' * 200}."


@pytest.mark.parametrize(
    "command", [shell("exit 2"), shell("exit 255"), shell("kill -9 $$"), ["/no/such/program"], ["/etc/passwd"]]
)
async def test_a_failing_program_is_no_approval(
    file: Path, command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(file, command)

    assert isinstance(error, Unavailable)
    assert "/" not in error.detail
    assert [(record.levelname, vars(record)["action"]) for record in caplog.records] == [("ERROR", "scan_failed")]


async def test_a_missing_file_is_no_approval(tmp_path: Path) -> None:
    assert isinstance(await refusal(tmp_path / "missing", ["true"]), Unavailable)


def is_alive(pid: int) -> bool:
    """Return True if a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.01)


async def test_a_hanging_program_is_killed_with_its_children(file: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = 'trap "" TERM; sleep 1000 & echo $! > "$1"; echo $$ >> "$1"; wait'
    error = await refusal(file, shell(script, str(pids)), timeout_s=2)

    assert isinstance(error, Unavailable)
    await until(lambda: not any(map(is_alive, map(int, pids.read_text().split()))))


async def test_leftover_children_are_killed_too(file: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    await Scanner(shell('sleep 1000 & echo $! > "$1"', str(pid))).scan(file)

    await until(lambda: not is_alive(int(pid.read_text())))


async def test_a_detached_child_that_keeps_the_output_open_blocks_nothing(file: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = 'setsid sh -c \'echo $$ > "$1"; exec sleep 1000\' sh "$1" & while ! test -s "$1"; do sleep 0.01; done'
    await Scanner(shell(script, str(pid))).scan(file)
    detached = int(pid.read_text())

    assert is_alive(detached)
    os.kill(detached, signal.SIGKILL)


async def test_a_scan_that_is_cancelled_ends_its_program(file: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    scan = asyncio.create_task(Scanner(shell('echo $$ > "$1"; exec sleep 1000', str(pid))).scan(file))
    await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    scan.cancel()
    await asyncio.wait([scan])

    assert scan.cancelled()
    await until(lambda: not is_alive(int(pid.read_text())))


async def test_the_program_does_not_get_the_daemons_secrets(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")

    await Scanner(shell('test -z "$TELEGRAM_BOT_TOKEN$CREDENTIALS_DIRECTORY" && test -n "$PATH"')).scan(file)


async def test_only_so_many_programs_run_at_once(file: Path, tmp_path: Path) -> None:
    """Each program counts the others that run at the same time."""
    (tmp_path / "running").mkdir()
    script = 'cd "$1"; touch $$; ls | wc -l >> ../seen; sleep 0.1; rm $$'
    scanner = Scanner(shell(script, str(tmp_path / "running")))
    await asyncio.gather(*(scanner.scan(file) for _ in range(12)))

    seen = list(map(int, (tmp_path / "seen").read_text().split()))
    assert len(seen) == 12
    assert max(seen) <= MAX_CONCURRENT


async def test_a_file_that_waits_too_long_for_a_slot_is_refused(file: Path) -> None:
    scanner = Scanner(shell("exec sleep 1000"), timeout_s=0.3)
    ended = await asyncio.gather(*(scanner.scan(file) for _ in range(MAX_CONCURRENT + 1)), return_exceptions=True)

    assert all(isinstance(error, Unavailable) for error in ended)


async def test_no_descriptor_is_left_open(file: Path) -> None:
    async def scans() -> None:
        await Scanner(["true"]).scan(file)
        await refusal(file, ["/no/such/program"])
        await refusal(file, shell("exec sleep 1000"), timeout_s=0.2)

    await scans()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    await scans()

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_refused_type_gets_the_list_of_accepted_ones() -> None:
    check_type("image/png", ["image/*", "application/pdf"])
    check_type("application/x-executable", None)
    with pytest.raises(UnsupportedType, match="text/html") as caught:
        check_type("text/html", ["image/*", "application/pdf"])

    assert caught.value.code == 415
    assert caught.value.hint == "Accepted types: image/*, application/pdf."
