"""Saving a file of a message: the target, and complete files only."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from notifybot.cli import main
from tests.cli.standin import StandIn, a_message, json_reply, message_id, misbehaving, saying

CONTENT = bytes(range(256)) * 500


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def attach(daemon: StandIn, *names: str) -> None:
    """Add a message with these files, all with the same content."""
    daemon.files = {f"x_{number}": CONTENT for number, _ in enumerate(names)}
    daemon.add(
        a_message(
            1,
            attachments=[
                {"name": name, "kind": "document", "size": len(CONTENT), "href": f"/files/x_{number}"}
                for number, name in enumerate(names)
            ],
        )
    )


def save(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["messages", "file", message_id(1), *words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_is_saved_here_under_its_own_name(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, "chart.png", "report.pdf")

    assert save(capsys, "2") == (0, "saved: report.pdf (128 kB)\n", "")
    assert names_in(here) == ["report.pdf"]
    assert (here / "report.pdf").read_bytes() == CONTENT


def test_a_named_file_is_overwritten(daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path) -> None:
    attach(daemon, "report.pdf")
    (here / "old").write_text("old")

    assert save(capsys, "1", "-o", "old") == (0, "saved: old (128 kB)\n", "")
    assert (here / "old").read_bytes() == CONTENT
    assert names_in(here) == ["old"]


def test_a_file_of_the_same_name_is_not_overwritten(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, "report.pdf")
    (here / "report.pdf").write_text("mine")

    code, _, err = save(capsys, "1")

    assert (code, err) == (2, "error: report.pdf already exists.\nhint: Name another path with -o.\n")
    assert (here / "report.pdf").read_text() == "mine"


def test_a_file_is_saved_in_a_folder_under_its_own_name(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, "report.pdf")
    (here / "folder").mkdir()

    assert save(capsys, "1", "--output", "folder")[1] == "saved: folder/report.pdf (128 kB)\n"
    assert (here / "folder" / "report.pdf").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("../../evil", "evil"),
        ("/etc/passwd", "passwd"),
        (".bashrc", "bashrc"),
        ("..", "file-1"),
        ("folder/", "file-1"),
        ("a\x1b[2J\nb\u202ecod", "a\\x1b[2J b\\u202ecod"),
        ("-rf", "-rf"),
    ],
)
def test_a_name_from_outside_contains_no_folder_and_is_not_hidden(
    name: str, saved: str, daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, name)

    assert save(capsys, "1")[:2] == (0, f"saved: {saved} (128 kB)\n")
    assert names_in(here) == [saved]


def test_a_link_is_followed_and_stays(daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path) -> None:
    attach(daemon, "report.pdf")
    (here / "link").symlink_to("target")

    save(capsys, "1", "-o", "link")

    assert (here / "link").is_symlink()
    assert (here / "target").read_bytes() == CONTENT


def test_a_pipe_or_device_is_written_to_and_not_replaced(
    daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, "report.pdf")
    os.mkfifo(here / "fifo")

    with subprocess.Popen(["cat", "fifo"], stdout=subprocess.PIPE) as reader:
        code, _, _ = save(capsys, "1", "-o", "fifo")
        read, _ = reader.communicate(timeout=30)

    assert (code, read) == (0, CONTENT)
    assert (here / "fifo").is_fifo()


def test_a_file_is_written_to_standard_output(daemon: StandIn, here: Path) -> None:
    attach(daemon, "report.pdf")
    command = [sys.executable, "-m", "notifybot", "messages", "file", message_id(1), "1", "-o", "-"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environ)

    assert (done.returncode, done.stdout, done.stderr) == (0, CONTENT, b"")
    assert names_in(here) == []


def test_a_file_is_not_written_to_a_terminal(daemon: StandIn) -> None:
    attach(daemon, "report.pdf")
    command = [sys.executable, "-m", "notifybot", "messages", "file", message_id(1), "1", "-o", "-"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    controller, terminal = pty.openpty()

    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, timeout=60, check=False, env=environ)

    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: A file is not written to a terminal.\nhint: ")


def test_a_broken_download_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    file = {"name": "report.pdf", "kind": "document", "size": 10, "href": "/files/x"}
    message = json_reply(a_message(1, attachments=[file]))
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    (here / "old").write_text("old")

    with misbehaving(tmp_path / "s", saying(message), saying(half)):
        code, out, err = save(capsys, "1", "-o", "old", "--socket", str(tmp_path / "s"))

    assert (code, out) == (1, "")
    assert "the connection was closed before the response was complete" in err
    assert (here / "old").read_text() == "old"
    assert names_in(here) == ["old"]


@pytest.mark.parametrize(
    ("names", "number", "error"),
    [
        ((), "1", "This message has no file."),
        (("a",), "2", "This message has one file."),
        (("a", "b"), "3", "This message has 2 files."),
    ],
)
def test_a_file_number_that_does_not_exist_is_refused(
    names: tuple[str, ...], number: str, error: str, daemon: StandIn, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    attach(daemon, *names)

    code, _, err = save(capsys, number)

    assert code == 2
    assert err.startswith(f"error: {error}\nhint: ")
    assert names_in(here) == []


def test_a_target_that_cannot_be_written_is_an_error(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    attach(daemon, "report.pdf")

    code, _, err = save(capsys, "1", "-o", "no/such/folder/x")

    assert code == 1
    assert "Cannot write no/such/folder/x: No such file or directory." in err
    assert err.count("\n") == 2


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(daemon: StandIn, here: Path) -> None:
    attach(daemon, "report.pdf")
    script = 'ulimit -f 10; exec "$@"'
    command = [sys.executable, "-m", "notifybot", "messages", "file", message_id(1), "1"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command], capture_output=True, timeout=60, check=False, env=environ
    )

    assert done.returncode == 1
    assert done.stderr.startswith(b"error: Cannot write report.pdf: File too large.\nhint: ")
    assert names_in(here) == []
