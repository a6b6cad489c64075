"""The bot's token is in no response and no log line, even after failures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifybot.system import logs
from tests.stories.places import Place
from tests.stories.world import World


@contextmanager
def the_log(monkeypatch: pytest.MonkeyPatch, file: Path) -> Iterator[None]:
    """Log everything to a file in the daemon's format; restore the log afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr("threading.excepthook", None)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logs.configure(level="debug", format="json", file=file)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
            handler.close()


async def test_no_log_line_holds_the_token_whatever_goes_wrong(
    world: World, ops: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    with the_log(monkeypatch, file):
        for kind in ("away", "html", "cut_after", "error", "flood"):
            world.sandbox.fault(kind, times=2, retry_after=1)
            await world.alert(f"during {kind}", to=ops)
            await world.passes(seconds=10)
        world.sandbox.fault("error", error_code=401, description="Unauthorized", times=3)
        await world.restarts()
        await world.passes(minutes=2)
        await world.in_time(lambda: len(ops.texts) >= 5, "all is delivered")
        await world.stops()

    written = file.read_text()
    assert "called Telegram" in written
    assert world.token.partition(":")[2] not in written


async def test_no_log_line_holds_a_link_code_or_a_link_token(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    anna = world.person("Anna")
    with the_log(monkeypatch, file):
        await world.is_quiet()
        token = (await world.get("/api/telegram/link-account"))["token"]
        anna.says(f"/start {token}")
        await anna.receives("linked to the account")
        anna.says("/start")
        code = (await anna.receives("code: ")).text.partition("code: ")[2][:6]
        await world.ask("POST", "/api/telegram/verify", {"code": code})
        await world.restarts()

    written = file.read_text()
    assert written.count('"action": "linked"') == 2
    assert token not in written
    assert code not in written
