"""Write log lines on a thread of their own, so that nothing waits for a log that nobody reads."""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

STDERR = 2
MAX_WAITING_CHARACTERS = 4 * 1024 * 1024
LINGER_S = 0.2
"""The lines that follow a written one are written together after this: to wake the thread for each costs more than
everything else about a line. Warnings and errors are written at once."""
"""Lines that wait to be written. Further ones are dropped and counted."""
STUCK_AFTER_S = 3.0
FLUSH_WITHIN_S = 1.0
"""At exit. A log that nobody reads must not keep the process alive."""
REPORTED_FOR_S = 60.0
"""After the last lost line. The count stays."""
log = logging.getLogger(__name__)


class Output:
    """Standard error, or a file that is reopened once logrotate has moved it.

    It writes to the descriptor: a Python stream has a lock, on which the interpreter would wait at exit.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises OSError if the file cannot be opened."""
        self._path = path
        self._fd = STDERR if path is None else _open(path)

    def write(self, text: str) -> None:
        """Write it all. Raises OSError."""
        if self._path is not None and not self._is_current(self._path):
            opened = _open(self._path)
            os.close(self._fd)
            self._fd = opened
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        if self._path is not None:
            os.close(self._fd)

    def _is_current(self, path: Path) -> bool:
        try:
            return os.path.samestat(path.stat(), os.fstat(self._fd))
        except FileNotFoundError:
            return False


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


class PatientHandler(logging.Handler):
    """Formats a line where it is logged, and leaves the writing to its thread."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._lines: deque[str] = deque()
        self._waiting_characters = 0
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_urgent = False
        """Something waits for the lines."""
        self._lingers = False
        self._writing_since: float | None = None
        self.dropped = 0
        """Lines lost since the start: too many waited, or they could not be written."""
        self._unreported = 0
        self._dropped_at = 0.0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        with self._changed:
            if self._is_closed or self._waiting_characters + len(line) > MAX_WAITING_CHARACTERS:
                self._note_dropped(1)
                return
            self._lines.append(line)
            self._waiting_characters += len(line)
            if record.levelno >= logging.WARNING or self._waiting_characters > MAX_WAITING_CHARACTERS // 2:
                self._hurry()
            elif not self._lingers:
                self._changed.notify_all()

    def warning(self) -> str | None:
        """Describe a log that is stuck, or has lost lines within REPORTED_FOR_S."""
        now, since = time.monotonic(), self._writing_since
        if since is not None and now - since > STUCK_AFTER_S:
            return f"Nobody has read the log for {now - since:.0f} s; {self.dropped} lines were dropped so far."
        if self.dropped and now - self._dropped_at < REPORTED_FOR_S:
            return f"{self.dropped} log lines were dropped: nobody read the log, or it could not be written."
        return None

    def flush(self) -> None:
        """Wait until all lines are written, at most FLUSH_WITHIN_S."""
        if threading.current_thread() is not self._thread:
            with self._changed:
                self._hurry()
                self._changed.wait_for(self._is_idle, FLUSH_WITHIN_S)

    def close(self) -> None:
        self.flush()
        with self._changed:
            self._is_closed = True
            self._hurry()
        super().close()

    def _hurry(self) -> None:
        self._is_urgent = True
        self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not self._lines and self._writing_since is None

    def _note_dropped(self, lines: int) -> None:
        self.dropped += lines
        self._unreported += lines
        self._dropped_at = time.monotonic()

    def _write_all(self) -> None:
        while (lines := self._next_lines()) is not None:
            try:
                self._output.write("".join(lines))
                lost, self._unreported = self._unreported, 0
            except OSError:
                lost = 0
                self._note_dropped(len(lines))
            with self._changed:
                self._writing_since = None
                self._changed.notify_all()
            if lost:
                log.warning("log lines were dropped", extra={"action": "log_lines_dropped", "lines": lost})
        with contextlib.suppress(OSError):
            self._output.close()

    def _next_lines(self) -> list[str] | None:
        """Wait for lines and take all; None once the handler is closed."""
        with self._changed:
            self._lingers = True
            self._changed.wait_for(lambda: self._is_urgent, LINGER_S)
            self._lingers = False
            self._changed.wait_for(lambda: self._lines or self._is_closed)
            self._is_urgent = self._is_closed
            lines = list(self._lines)
            self._lines.clear()
            self._waiting_characters = 0
            self._writing_since = time.monotonic() if lines else None
            return lines or None


def dropped() -> int:
    """Return how many lines the log of this process has lost."""
    return sum(each.dropped for each in _handlers())


def warning() -> str | None:
    """Describe what is wrong with the log of this process."""
    return next((found for each in _handlers() if (found := each.warning())), None)


def _handlers() -> Iterator[PatientHandler]:
    return (each for each in logging.getLogger().handlers if isinstance(each, PatientHandler))
