"""`notifybot demo` as a process: its output, its clean-up, and failures to start."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from notifybot.demo.demo import running_demo

pytestmark = pytest.mark.slow_because("each starts a daemon beside a sandbox")
PATIENCE_S = 60.0


@asynccontextmanager
async def _demo(*options: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `notifybot demo` with its temporary folder inside `folder`."""
    command = [sys.executable, "-m", "notifybot", "demo", "--no-browser", *options]
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _output_until(process: asyncio.subprocess.Process, word: str) -> str:
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(PATIENCE_S):
        while word not in output:
            line = await process.stdout.readline()
            assert line, output
            output += line.decode()
    return output


def _leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("notifybot-demo-*"))


async def _state(url: str) -> Mapping[str, Mapping[str, list[Mapping[str, object]]]]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        async with http.get(url) as page:
            assert page.status == 200
        async with http.get(f"{url.partition('?')[0]}sandbox/state") as response:
            state: Mapping[str, Mapping[str, list[Mapping[str, object]]]] = await response.json()
            return state


async def test_the_demo_prints_its_addresses_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with _demo("--port", "0", folder=tmp_path) as process:
        output = await _output_until(process, "Ctrl-C")
        url = re.findall(r"http://127\.0\.0\.1:\d+/\?key=\S+", output)[0]
        texts = json.dumps((await _state(url))["messages"])
        process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await process.communicate()
    assert "curl --unix-socket" in output
    assert "Disk almost full on db-1" in texts
    assert (process.returncode, errors) == (0, b"")
    assert _leftovers(tmp_path) == []


async def test_a_taken_port_is_an_error_of_two_lines(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with _demo("--port", str(taken.getsockname()[1]), folder=tmp_path) as process:
            async with asyncio.timeout(PATIENCE_S):
                _, errors = await process.communicate()
    error, hint = errors.decode().splitlines()
    assert process.returncode == 2
    assert error.startswith("error: ")
    assert "--port" in hint


async def test_a_daemon_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    too_long_for_a_socket = tmp_path / ("x" * 100)
    too_long_for_a_socket.mkdir()
    async with _demo("--port", "0", folder=too_long_for_a_socket) as process:
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"The daemon exited at once" in errors
    assert b"socket" in errors
    assert _leftovers(too_long_for_a_socket) == []


@pytest.mark.crash
async def test_a_killed_daemon_is_restarted_and_loses_nothing() -> None:
    async with running_demo(port=0) as demo:
        daemon, http = demo.backstage.daemon, demo.backstage.http
        body = {"type": "text", "content": "remember me", "channel_id": str(demo.cast.ben), "acknowledge": False}
        async with http.post("http://localhost/api/ingest", json=body) as response:
            message = (await response.json())["id"]
        first = daemon.pid
        await daemon.pull_the_plug(down_for_s=0)
        await demo.sandbox.wait_for(
            lambda: [m for m in demo.sandbox.messages(demo.cast.ben) if m.text == "remember me"]
        )
        async with asyncio.timeout(PATIENCE_S):
            while not await _knows(http, message):  # noqa: ASYNC110 the daemon is another process
                await asyncio.sleep(0.05)
        assert (daemon.kills, daemon.is_alive) == (1, True)
        assert daemon.pid != first


@pytest.mark.crash
async def test_a_daemon_killed_from_outside_is_restarted() -> None:
    async with running_demo(port=0) as demo:
        daemon, http = demo.backstage.daemon, demo.backstage.http
        first = daemon.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            while not await _answers(http):  # noqa: ASYNC110 the daemon is another process
                await asyncio.sleep(0.05)
        assert (daemon.kills, daemon.is_alive) == (1, True)
        assert daemon.pid != first


async def _answers(http: ClientSession) -> bool:
    try:
        async with http.get("http://localhost/health") as response:
            return response.status == 200
    except OSError:
        return False


async def _knows(http: ClientSession, message: str) -> bool:
    try:
        async with http.get(f"http://localhost/api/messages/{message}") as response:
            return response.status == 200
    except OSError:
        return False
