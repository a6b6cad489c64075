"""A stand-in daemon on its own socket, and an environment without any other daemon."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.real import RealDaemon, real_daemon
from tests.cli.standin import StandIn, serving


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Isolate the environment: no socket, no config, a known time zone and width."""
    for name in ("NOTIFYBOT_SOCKET", "NOTIFYBOT_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    standin = StandIn(tmp_path / "notifybot.sock")
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(standin.path))
    with serving(standin):
        yield standin


@pytest.fixture(scope="module")
def running() -> Iterator[RealDaemon]:
    """Run one real daemon for a module's tests, in a folder with a path short enough for a socket."""
    with TemporaryDirectory() as folder, real_daemon(Path(folder)) as daemon:
        daemon.start()
        yield daemon
