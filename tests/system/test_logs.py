"""Log formats, and no secret in any line."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from telegram import Bot
from telegram.ext import Application

from notifybot.errors import StartRefused
from notifybot.system import logs
from notifybot.system.logs import REDACTED, LogStyle, configure, redact, register_secret

TOKEN = "1234567890:AAE-x_" + "Zz9" * 10
FORMATS: tuple[LogStyle, ...] = ("json", "console", "journald")


@pytest.fixture(autouse=True)
def _the_log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    yield
    logging.captureWarnings(False)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        with contextlib.suppress(OSError):  # /dev/full stays full
            handler.close()
    root.setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "notifybot.log"


def text_of(file: Path) -> str:
    for handler in logging.getLogger().handlers:
        handler.flush()
    return file.read_text()


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in text_of(file).splitlines()]


def test_a_json_line_holds_the_message_and_its_fields(file: Path) -> None:
    configure(format="json", file=file)
    extra = {"action": "hold", "wait_s": 3, "who": None}
    logging.getLogger("notifybot.x").warning("post %s held", "p1", extra=extra)
    (line,) = lines(file)
    assert str(line.pop("at")).endswith("Z")
    assert line == {"level": "warning", "logger": "notifybot.x", "message": "post p1 held", **extra}


def test_a_console_line_reads_from_left_to_right(file: Path) -> None:
    configure(format="console", file=file)
    logging.getLogger("notifybot.x").info("post held", extra={"action": "hold", "reason": "too many", "empty": ""})
    assert text_of(file).split(" ", 1)[1] == 'INFO     notifybot.x: post held action=hold reason="too many" empty=""\n'


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (25, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_each_journald_line_begins_with_its_priority(file: Path, level: int, priority: int) -> None:
    configure(level="debug", format="journald", file=file)
    try:
        raise ValueError("two\n<0>lines")
    except ValueError:
        logging.getLogger("x").log(level, "one\n<0>forged", exc_info=True)
    written = text_of(file).splitlines()
    assert written[0] == f"<{priority}>x: one\\x0a<0>forged"
    assert written[-1] == f"<{priority}><0>lines"
    assert all(line.startswith(f"<{priority}>") for line in written)


def test_a_terminal_is_not_controlled_by_what_is_logged(file: Path) -> None:
    configure(format="console", file=file)
    logging.getLogger("x").warning("\x1b[2J\x9b2J", extra={"name_": "a\x1b]0;b"})
    assert "\\x1b[2J\\x9b2J name_=a\\x1b]0;b" in text_of(file)


def test_a_file_moved_by_logrotate_is_reopened(file: Path) -> None:
    configure(format="json", file=file)
    logging.getLogger("x").warning("before")
    assert len(lines(file)) == 1
    file.rename(file.with_suffix(".1"))
    logging.getLogger("x").warning("after")
    assert [line["message"] for line in lines(file)] == ["after"]


def test_a_file_that_cannot_be_opened_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"missing/x\.log cannot be opened") as refused:
        configure(file=tmp_path / "missing" / "x.log")
    assert refused.value.hint


def test_configuring_again_replaces_the_former_log(file: Path, tmp_path: Path) -> None:
    configure(format="json", file=file)
    configure(format="json", file=tmp_path / "second.log")
    logging.getLogger("x").warning("once")
    assert lines(file) == []
    assert len(lines(tmp_path / "second.log")) == 1


def test_noisy_libraries_are_limited_to_warnings(file: Path) -> None:
    configure(level="debug", format="json", file=file)
    for name in ("httpx", "httpcore.http11", "apscheduler.scheduler", "notifybot"):
        logging.getLogger(name).info("hello")
    assert [line["logger"] for line in lines(file)] == ["notifybot"]


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_decides_what_is_written(file: Path, level: str, shown: int) -> None:
    configure(level=level, format="json", file=file)
    for each in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("x").log(each, "hello")
    assert len(lines(file)) == shown


def _in_the_message(log: logging.Logger) -> None:
    log.info(f"POST https://api.telegram.org/bot{TOKEN}/getMe")


def _in_an_argument(log: logging.Logger) -> None:
    log.info("HTTP Request: %s %s", "POST", f"https://api.telegram.org/bot{TOKEN}/sendMessage")


def _percent_encoded(log: logging.Logger) -> None:
    log.info("at %s", f"https://example.org/?to=bot{TOKEN.replace(':', '%3A')}")


def _in_an_extra_field(log: logging.Logger) -> None:
    log.info("called", extra={"url": f"http://127.0.0.1:8081/bot{TOKEN}/getUpdates", "params": {"deep": [TOKEN]}})


def _in_the_repr_of_a_bot(log: logging.Logger) -> None:
    log.info("started %r %s", Bot(TOKEN), Application.builder().token(TOKEN).build())


def _in_a_traceback(log: logging.Logger) -> None:
    try:
        try:
            raise OSError(f"cannot reach /bot{TOKEN}/getMe")
        except OSError as error:
            raise RuntimeError("start failed") from error
    except RuntimeError as error:
        error.add_note(f"asked {TOKEN}")
        log.exception("failed")


def _in_a_stack(log: logging.Logger) -> None:
    record = log.makeRecord("x", logging.INFO, __file__, 1, "here", (), None, sinfo=f"Stack: bot{TOKEN}")
    log.handle(record)


def _in_arguments_that_do_not_fit(log: logging.Logger) -> None:
    log.info(f"%d {TOKEN}", TOKEN)


def _in_an_object_whose_str_fails(log: logging.Logger) -> None:
    log.info("got %s", _Unprintable(), extra={"object": _Unprintable()})


def _in_a_warning(_: logging.Logger) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"bot{TOKEN} is deprecated", stacklevel=1)


def _in_an_uncaught_exception(_: logging.Logger) -> None:
    error = RuntimeError(f"bot{TOKEN}")
    sys.excepthook(RuntimeError, error, None)


def _in_a_thread(_: logging.Logger) -> None:
    def fail() -> None:
        raise RuntimeError(f"bot{TOKEN}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


class _Unprintable:
    def __str__(self) -> str:
        raise ValueError(TOKEN)


LEAKS = (
    _in_the_message,
    _in_an_argument,
    _percent_encoded,
    _in_an_extra_field,
    _in_the_repr_of_a_bot,
    _in_a_traceback,
    _in_a_stack,
    _in_arguments_that_do_not_fit,
    _in_an_object_whose_str_fails,
    _in_a_warning,
    _in_an_uncaught_exception,
    _in_a_thread,
)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("leak", LEAKS)
def test_a_token_never_reaches_the_log(
    file: Path, capfd: pytest.CaptureFixture[str], form: LogStyle, leak: Callable[[logging.Logger], None]
) -> None:
    configure(format=form, file=file)
    leak(logging.getLogger("notifybot.leak"))
    written = text_of(file)
    assert written
    assert TOKEN.split(":")[1] not in written
    assert TOKEN.split(":")[1] not in "".join(capfd.readouterr())
    if leak is not _in_an_object_whose_str_fails:
        assert REDACTED in written


@pytest.mark.parametrize("form", FORMATS)
def test_a_registered_secret_is_redacted_in_every_form(file: Path, form: LogStyle) -> None:
    register_secret('pä"ss w/ord')
    configure(format=form, file=file)
    logging.getLogger("x").warning(
        'postgresql://u:pä"ss w/ord@h and p%C3%A4%22ss%20w%2Ford', extra={"s": 'pä"ss w/ord'}
    )
    written = text_of(file)
    assert written.count(REDACTED) == 3
    assert "w/ord" not in written
    assert "w%2Ford" not in written


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    register_secret("secret")
    register_secret("secret-and-more")
    assert redact("the secret-and-more") == f"the {REDACTED}"


def test_a_short_secret_does_not_redact_ordinary_words() -> None:
    register_secret("")
    register_secret("a")
    assert redact("a plain sentence") == "a plain sentence"


@pytest.mark.parametrize("text", ["at 12:30:45", "chat -1001234567890:5", "port 127.0.0.1:8081", "1234567890:short"])
def test_ordinary_numbers_are_no_tokens(text: str) -> None:
    assert redact(text) == text


def test_lone_surrogates_do_not_lose_the_line(file: Path) -> None:
    configure(format="json", file=file)
    logging.getLogger("x").warning("file \udcff")
    assert lines(file)[0]["message"] == "file \udcff"


def test_lines_that_cannot_be_written_do_not_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    configure(format="json", file=Path("/dev/full"))
    logging.getLogger("x").warning("at %s", TOKEN)
    assert capfd.readouterr().err == ""


AUTO = (
    "import logging; from notifybot.system.logs import configure; configure(); logging.getLogger('x').warning('hello')"
)


def test_auto_writes_json_without_a_terminal() -> None:
    ran = subprocess.run([sys.executable, "-c", AUTO], capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(ran.stderr)["message"] == "hello"


def test_auto_writes_for_the_console_on_a_terminal() -> None:
    terminal, side = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", AUTO], stderr=side, check=True, timeout=30)
        shown = os.read(terminal, 1000).decode()
    finally:
        os.close(terminal)
        os.close(side)
    assert shown.endswith("WARNING  x: hello\r\n")


def test_auto_writes_for_the_journal_only_if_stderr_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as journal, (tmp_path / "other").open("w+") as other:
        status = os.fstat(journal.fileno())
        environ = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        for stream in (journal, other):
            subprocess.run([sys.executable, "-c", AUTO], stderr=stream, env=environ, check=True, timeout=30)
    assert (tmp_path / "journal").read_text() == "<4>x: hello\n"
    assert json.loads((tmp_path / "other").read_text())["message"] == "hello"
