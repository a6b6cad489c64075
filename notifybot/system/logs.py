"""Set up the log: its destination and format. No line contains a token or another registered secret."""

import json
import logging
import os
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from notifybot.errors import NotifybotError, StartRefused
from notifybot.system.log_queue import Output, PatientHandler

LogStyle = Literal["auto", "json", "console", "journald"]
LogValue = str | int | float | bool | None

REDACTED = "<redacted>"
# \b would miss a token in a URL ("/bot123456:…"), because a letter precedes it.
BOT_TOKEN = re.compile(r"(?<!\d)\d{3,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,}")
MIN_SECRET_CHARACTERS = 6  # redacting shorter ones would hit ordinary words
# httpx logs every URL, which contains the token; ExtBot logs every text, including link codes; the others log what no
# operator needs.
NOISY_LIBRARIES = ("httpx", "httpcore", "apscheduler", "alembic", "telegram.ext.Application", "telegram.ext.ExtBot")

JOURNAL_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
JOURNAL_DEBUG = 7
CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
BUILT_IN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_secrets: set[str] = set()


def configure(*, level: str = "info", format: LogStyle = "auto", file: Path | None = None) -> None:
    """Send the log of the whole process to `file` (reopened after logrotate moves it), or to stderr.

    `auto` is journald if stderr is the journal, console on a terminal, and JSON lines otherwise. Also logs uncaught
    exceptions and warnings. A log that cannot be written loses lines and never makes anything wait (`log_queue`).
    Raises StartRefused if the file cannot be opened.
    """
    _capture_other_output()
    handler = _open_handler(file)
    handler.setFormatter(_FORMATTERS[_choose(file) if format == "auto" else format]())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, _LineFormatter)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def register_secret(secret: str) -> None:
    """Redact `secret` (at least MIN_SECRET_CHARACTERS) in later lines, including its percent-encoded form."""
    if len(secret) >= MIN_SECRET_CHARACTERS:
        _secrets.update((secret, quote(secret, safe="")))


def redact(text: str) -> str:
    """Redact bot tokens and registered secrets."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return BOT_TOKEN.sub(REDACTED, text)


MAX_REASON = 300
_DRIVER_CLASS = re.compile(r"^\([A-Za-z0-9_.]+\) ")
"""SQLAlchemy puts it before the driver's message."""


def reason_of(error: BaseException) -> str:
    """Return an error's class and the first line of its message, without secrets.

    The other lines of a database error, the statement and its values, are left out: they contain message texts.
    """
    if isinstance(error, NotifybotError) and error.__cause__ is None:
        return redact(error.detail)
    cause = error.__cause__ if isinstance(error, NotifybotError) else error
    name, message = type(cause).__name__, _DRIVER_CLASS.sub("", str(cause).strip())
    return redact(f"{name}: {message.splitlines()[0]}" if message else name)[:MAX_REASON]


class _LineFormatter(logging.Formatter):
    """Base of the formats below. `format` never raises, so that logging never prints a raw record to stderr."""


class _JsonFormatter(_LineFormatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, LogValue] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line = _extra_fields(record) | line
        if trace := _trace(record):
            line["exception"] = trace
        return json.dumps(line, ensure_ascii=False)


class _ConsoleFormatter(_LineFormatter):
    def format(self, record: logging.LogRecord) -> str:
        first = f"{_time(record)} {record.levelname:<8} {record.name}: {_sentence(record)}"
        return "\n".join([first, *_trace(record).splitlines()])


class _JournaldFormatter(_LineFormatter):
    """journald reads the priority from the start of each line and adds the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [f"{record.name}: {_sentence(record)}", *_trace(record).splitlines()]
        priority = next((found for level, found in JOURNAL_PRIORITIES if record.levelno >= level), JOURNAL_DEBUG)
        return "\n".join(f"<{priority}>{line}" for line in lines)


_FORMATTERS: dict[str, type[_LineFormatter]] = {
    "json": _JsonFormatter,
    "console": _ConsoleFormatter,
    "journald": _JournaldFormatter,
}


def _open_handler(file: Path | None) -> logging.Handler:
    try:
        return PatientHandler(Output(file))
    except OSError as error:
        raise StartRefused(
            f"The log file {file} cannot be opened: {error.strerror}.",
            hint="Create its folder and let the daemon's user write there, or remove log.file.",
        ) from error


def _choose(file: Path | None) -> LogStyle:
    if file is None and _stderr_is_journal():
        return "journald"
    return "console" if file is None and sys.stderr.isatty() else "json"


def _stderr_is_journal() -> bool:
    """Compare stderr with $JOURNAL_STREAM ("device:inode"): a child may inherit the variable but another stderr."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _capture_other_output() -> None:
    logging.raiseExceptions = False  # a line that cannot be written must not reach stderr unredacted
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("notifybot").critical(
        "uncaught exception", exc_info=(kind, error, trace), extra={"action": "uncaught_exception"}
    )


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return redact(record.getMessage())
    except Exception as error:  # noqa: BLE001  wrong arguments, or a failing __str__
        return redact(f"{record.msg} ({type(error).__name__} while formatting its arguments)")


def _extra_fields(record: logging.LogRecord) -> dict[str, LogValue]:
    return {key: _plain(value) for key, value in vars(record).items() if key not in BUILT_IN_FIELDS}


def _plain(value: object) -> LogValue:
    if value is None or isinstance(value, bool | int | float):
        return value
    try:
        return redact(str(value))
    except Exception as error:  # noqa: BLE001  a failing __str__ must not lose the line
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _sentence(record: logging.LogRecord) -> str:
    """Format message and fields on one line, with control characters escaped."""
    fields = [f"{key}={_word(value)}" for key, value in _extra_fields(record).items()]
    return " ".join([_message(record).translate(CONTROL_CHARACTERS), *fields])


def _word(value: LogValue) -> str:
    text = str(value).translate(CONTROL_CHARACTERS)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _trace(record: logging.LogRecord) -> str:
    lines: list[str] = []
    if record.exc_info and record.exc_info[0] is not None:
        lines += traceback.format_exception(*record.exc_info)
    if record.stack_info:
        lines.append(record.stack_info)
    return redact("".join(lines).rstrip("\n"))
