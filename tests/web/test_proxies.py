"""The examples for nginx and Caddy, on real servers if they are installed: TLS in front, the daemon behind."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certificates import certificate
from tests.support.door import assert_problem
from tests.support.remote import MESSAGE, Wire, wire

EXAMPLES = Path(__file__).parents[2] / "examples"
OPEN = "anonymous: [{networks: [127.0.0.1], paths: [/api/ingest], account: legacy}]"
WITHIN_S = 20.0
MEGABYTES = 3
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/notifybot.conf;
}}
"""


def changed(example: str, changes: dict[str, str]) -> str:
    """Return an example with its names replaced by this machine's; each name must occur."""
    text = (EXAMPLES / example).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, line: Wire, port: int) -> list[str]:
    changes = {
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{line.port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "    listen [::]:443 ssl;\n": "",
        "/etc/ssl/notify.example.org": str(folder),
    }
    (folder / "notifybot.conf").write_text(changed("nginx.conf", changes), encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder), encoding="utf-8")
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, line: Wire, port: int) -> list[str]:
    files = f"{folder}/chain.pem {folder}/key.pem"
    changes = {
        "reverse_proxy 127.0.0.1:8000": f"reverse_proxy 127.0.0.1:{line.port}",
        "notify.example.org {": f"https://localhost:{port}, https://x:{port} {{\n\ttls {files}",
    }
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + changed("Caddyfile", changes), encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


COMMANDS = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(
    params=["nginx", pytest.param("caddy", marks=pytest.mark.slow_because("Caddy starts, and has a TLS handshake"))]
)
def proxy(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is missing: apt-get install {name}")
    return name


@contextlib.asynccontextmanager
async def behind(proxy: str, folder: Path) -> AsyncIterator[Wire]:
    """Run a daemon behind this proxy; yield a client of the proxy."""
    trust = certificate(folder)
    async with wire(folder, OPEN) as line:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = COMMANDS[proxy](folder, line, port)
        process = start(command, folder)
        try:
            await listening(port, process, folder)
            yield replace(line, port=port, tls=trust)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, WITHIN_S)


def start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environ)


async def listening(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            assert process.poll() is None, (folder / "proxy.log").read_text()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def test_through_the_proxy_a_token_is_required_and_works(folder: Path, proxy: str) -> None:
    async with behind(proxy, folder) as line:
        token = await line.token(scopes=["send", "read"])
        assert (await line.bearing(token, "POST", "/api/ingest", MESSAGE)).status == 202
        assert_problem(await line.ask("GET", "/api/messages"), 401)
        assert (await line.ask("GET", "/health")).json == {"status": "degraded"}


async def test_a_path_that_is_open_to_this_machine_is_closed_to_the_world(folder: Path, proxy: str) -> None:
    async with behind(proxy, folder) as line:
        assert_problem(await line.ask("POST", "/api/ingest", MESSAGE), 401)


async def test_a_large_file_passes_the_proxy(folder: Path, proxy: str) -> None:
    async with behind(proxy, folder) as line:
        token = await line.token()
        parts = [b'--x\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n-1001\r\n']
        parts.append(b'--x\r\nContent-Disposition: form-data; name="file"; filename="log.txt"\r\n\r\n')
        body = b"".join([*parts, b"a" * MEGABYTES * 2**20, b"\r\n--x--\r\n"])
        kind = "multipart/form-data; boundary=x"
        answer = await line.bearing(token, "POST", "/api/ingest", body, Content_Type=kind)
        assert answer.status == 202, answer


async def test_it_waits_as_long_as_the_caller_does(folder: Path, proxy: str) -> None:
    async with behind(proxy, folder) as line:
        answer = await line.bearing(await line.token(), "POST", "/api/ingest?wait=1", MESSAGE)
        assert answer.status == 202
