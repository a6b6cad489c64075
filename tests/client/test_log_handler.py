"""The logging handler: records become messages, and the program that logs never waits."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifybot.client import Client
from notifybot.client.log_handler import NotifybotHandler
from tests.cli.standin import StandIn, hanging, misbehaving

TO = "-1001234567890"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of its own, whose handlers are closed after the test."""
    logger = logging.Logger("program")
    yield logger
    for handler in logger.handlers:
        handler.close()


def texts(daemon: StandIn) -> list[object]:
    return [body["content"] for _, _, body in daemon.asked if isinstance(body, dict)]


def test_errors_are_sent_in_order_and_the_rest_is_not(daemon: StandIn, log: logging.Logger) -> None:
    handler = NotifybotHandler(TO, source="backup")
    log.addHandler(handler)
    for number in range(3):
        log.error("failed %d", number)
    log.warning("slow")
    handler.close()

    assert texts(daemon) == ["failed 0", "failed 1", "failed 2"]


def test_a_traceback_is_sent_with_its_record(daemon: StandIn, log: logging.Logger) -> None:
    handler = NotifybotHandler(TO)
    log.addHandler(handler)
    try:
        raise ValueError("no space")
    except ValueError:
        log.exception("backup failed")
    handler.close()

    assert "ValueError: no space" in str(texts(daemon)[0])


def test_a_wrong_format_string_does_not_break_the_program(
    daemon: StandIn, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = NotifybotHandler(TO)
    log.addHandler(handler)
    log.error("%d", "x")
    log.error("after it")
    handler.close()

    assert texts(daemon) == ["after it"]
    assert "Logging error" in capsys.readouterr().err


def test_a_missing_daemon_drops_and_close_says_how_many(
    tmp_path: Path, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = NotifybotHandler(TO, client=Client(tmp_path / "none.sock", patience_s=0))
    log.addHandler(handler)
    log.error("one")
    log.error("two")
    handler.close()

    assert capsys.readouterr().err == "notifybot: 2 log records were dropped\n"


def test_a_hanging_daemon_never_holds_up_the_program(tmp_path: Path, log: logging.Logger) -> None:
    with misbehaving(tmp_path / "x.sock", hanging):
        client = Client(tmp_path / "x.sock", timeout_s=0.3, patience_s=0)
        handler = NotifybotHandler(TO, client=client, most_waiting=2)
        log.addHandler(handler)
        begun = time.monotonic()
        for number in range(100):
            log.error("failed %d", number)
        took_s = time.monotonic() - begun
        handler.close()

    assert took_s < 0.3


def test_what_was_dropped_is_said_with_the_next_message(daemon: StandIn, log: logging.Logger) -> None:
    handler = NotifybotHandler(TO)
    log.addHandler(handler)
    handler._drop(3)
    log.error("failed")
    handler.close()

    assert texts(daemon) == ["failed\n(3 log records were dropped)"]


def test_what_sending_logs_is_not_sent(daemon: StandIn, log: logging.Logger) -> None:
    class Talking(Client):
        def send(self, text: str | None = None, **options: object) -> object:  # type: ignore[override]
            log.error("sending")
            return super().send(text, **options)  # type: ignore[arg-type]

    handler = NotifybotHandler(TO, client=Talking())
    log.addHandler(handler)
    log.error("failed")
    handler.close()

    assert texts(daemon) == ["failed"]
