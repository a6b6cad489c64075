"""`notifybot inbound` against the real daemon."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.real import RealDaemon, real_daemon
from tests.cli.running import run
from tests.cli.test_commands import assert_two_lines

ROUTES = "inbound: {prometheus: {format: alertmanager, to: ['-1001']}, deploys: {format: oncall, to: ['-1001']}}\n"


@pytest.fixture(scope="module")
def running() -> Iterator[RealDaemon]:
    """Run a daemon with two routes, one of which refused a request."""
    with TemporaryDirectory() as folder, real_daemon(Path(folder)) as daemon:
        with daemon.config.open("a") as file:
            file.write(ROUTES)
        daemon.start()
        post(daemon.socket, "/in/prometheus", b'{"version":\n "3"}')
        yield daemon


def post(path: Path, target: str, body: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        while connection.recv(4096):
            pass


@pytest.fixture(autouse=True)
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))


def test_it_lists_the_routes_and_their_last_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "inbound")

    assert (code, err) == (0, "")
    head, deploys, prometheus = out.splitlines()
    assert head.split() == ["NAME", "FORMAT", "TO", "SECRET", "REFUSED", "LAST", "REFUSAL"]
    assert deploys.split() == ["deploys", "oncall", "-1001", "no", "0", "-"]
    assert prometheus.split()[:5] == ["prometheus", "alertmanager", "-1001", "no", "1"]
    assert prometheus.endswith("version: this must be 4, the version of Alertmanager's webhook")


def test_a_route_shows_its_refused_requests_with_their_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "inbound", "prometheus")

    first, body = out.splitlines()
    assert first.split()[1] == "400"
    assert body == '  {"version": "3"}'
    (route,) = json.loads(run(capsys, "inbound", "prometheus", "--json")[1])["routes"]
    assert route["refusals"][0]["body"] == '{"version":\n "3"}'


def test_a_route_that_refused_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "inbound", "deploys")[1] == "no refused requests since the daemon started\n"


def test_an_unknown_route_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "inbound", "nowhere")
    assert (code, out) == (2, "")
    assert_two_lines(err)
