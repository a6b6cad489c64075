"""Logging never waits, whatever becomes of the log."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifybot.system import log_queue, logs
from notifybot.system.log_queue import Output, PatientHandler
from tests.support.door import door

LINE = "x" * 1000
LINES = 200
"""Three times what a pipe holds."""
AT_ONCE_S = 1.0


def a_fifo(folder: Path) -> tuple[Path, int]:
    """Make a pipe with a reader that does not read; return its path and the reader's descriptor."""
    path = folder / "log"
    os.mkfifo(path)
    return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def a_pipe_nobody_reads(folder: Path) -> Path:
    return a_fifo(folder)[0]


def a_pipe_whose_reader_leaves(folder: Path) -> Path:
    path, reader = a_fifo(folder)
    (folder / "leave").write_text(str(reader))
    return path


def a_file(folder: Path) -> Path:
    return folder / "log"


def a_full_disk(_: Path) -> Path:
    return Path("/dev/full")


def a_file_in_a_folder(folder: Path) -> Path:
    (folder / "logs").mkdir()
    return folder / "logs" / "log"


def nothing(_: Path) -> None:
    return


def reader_leaves(path: Path) -> None:
    os.close(int((path.parent / "leave").read_text()))


def file_goes(path: Path) -> None:
    path.unlink()


def folder_goes(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def a_folder_takes_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


def file_is_moved(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


CASES: list[tuple[Callable[[Path], Path], Callable[[Path], None], bool]] = [
    (a_file, nothing, False),
    (a_file, file_goes, False),
    (a_file, file_is_moved, False),
    (a_file, a_folder_takes_its_place, True),
    (a_file_in_a_folder, folder_goes, True),
    (a_full_disk, nothing, True),
    (a_pipe_nobody_reads, nothing, True),
    (a_pipe_whose_reader_leaves, reader_leaves, True),
]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queue hold a tenth of the lines."""
    monkeypatch.setattr(log_queue, "MAX_WAITING_CHARACTERS", LINES * len(LINE) // 10)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test_log_queue")
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("make", "happens", "loses"), CASES, ids=[f"{case[0].__name__}-{case[1].__name__}" for case in CASES]
)
def test_logging_never_waits(
    tmp_path: Path,
    logger: logging.Logger,
    make: Callable[[Path], Path],
    happens: Callable[[Path], None],
    *,
    loses: bool,
) -> None:
    path = make(tmp_path)
    handler = PatientHandler(Output(path))
    logger.addHandler(handler)
    logger.warning("first")
    handler.flush()
    happens(path)

    began = time.monotonic()
    for _ in range(LINES):
        logger.warning(LINE)
        if not loses:
            handler.flush()
    took = time.monotonic() - began

    assert took < AT_ONCE_S
    handler.flush()
    assert bool(handler.dropped) is loses
    if not loses:
        assert path.read_text().count(LINE) == LINES


@pytest.mark.usefixtures("small")
def test_a_log_that_is_read_again_says_how_much_is_missing(tmp_path: Path, logger: logging.Logger) -> None:
    path, reader = a_fifo(tmp_path)
    handler = PatientHandler(Output(path))
    logger.addHandler(handler)
    logging.getLogger("notifybot.system.log_queue").addHandler(handler)
    for _ in range(LINES):
        logger.warning(LINE)
    assert handler.dropped
    os.set_blocking(reader, True)

    read = b""
    while b"log lines were dropped" not in read or read.count(LINE.encode()) < LINES - handler.dropped:
        read += os.read(reader, 1 << 20)

    logging.getLogger("notifybot.system.log_queue").removeHandler(handler)
    os.close(reader)


async def test_a_daemon_whose_log_nobody_reads_accepts_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_queue, "STUCK_AFTER_S", 0.0)
    monkeypatch.setattr(log_queue, "MAX_WAITING_CHARACTERS", 100 * len(LINE))  # more than the pipe holds
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr("threading.excepthook", None)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    root = logging.getLogger()
    level = root.level
    path, reader = a_fifo(tmp_path)
    logs.configure(file=path)
    (handler,) = [each for each in root.handlers if isinstance(each, PatientHandler)]
    try:
        async with door(folder) as opened:
            for _ in range(5 * LINES):
                logging.getLogger("notifybot").info(LINE)
            assert (await opened.ingest()).status == 202
            health = (await opened.ask("GET", "/health")).json
            assert health["status"] == "degraded"
            assert health["log_lines_dropped"] > 0
            assert any("Nobody has read the log" in each for each in health["warnings"])
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.captureWarnings(False)
        os.close(reader)
        handler.close()
