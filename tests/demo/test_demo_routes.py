"""The demo's routes: access control, and the proxy to the daemon."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, UnixConnector, web

from notifybot.demo.daemon import DaemonProcess, Folder
from notifybot.demo.routes import Backstage, add_demo_routes
from notifybot.sandbox import Sandbox, make_app
from notifybot.times.clock import Clock


@dataclass(frozen=True)
class Site:
    """The demo's server with a daemon that is not running; `socket` is where it would listen."""

    http: ClientSession
    url: str
    socket: Path
    sandbox: Sandbox

    async def status(self, method: str, path: str, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, f"{self.url}{path}", headers=named, json={}) as response:
            return response.status


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    folder, sandbox = Folder(tmp_path), Sandbox()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with ClientSession(connector=UnixConnector(str(folder.socket))) as to_daemon, _browser() as http:
            app = make_app(sandbox)
            backstage = Backstage(DaemonProcess(folder, Clock()), to_daemon, port, folder.socket, "curl")
            add_demo_routes(app, backstage)
            async with _running(app) as runner:
                await web.SockSite(runner, listener).start()
                async with http.get(backstage.address) as page:
                    assert page.status == 200
                yield Site(http, f"http://127.0.0.1:{port}", folder.socket, sandbox)


def _browser() -> ClientSession:
    """Return a client that keeps cookies of IP addresses too."""
    return ClientSession(cookie_jar=CookieJar(unsafe=True))


@asynccontextmanager
async def _running(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _daemon(path: Path) -> AsyncIterator[None]:
    """Run a daemon that echoes requests."""
    app = web.Application()

    async def echo(request: web.Request) -> web.Response:
        said = {"path": request.path_qs, "body": await request.text(), "key": request.headers.get("Idempotency-Key")}
        return web.json_response(said, status=202, headers={"Retry-After": "7", "X-Secret": "stays"})

    app.router.add_route("*", "/{path:.*}", echo)
    async with _running(app) as runner:
        await web.UnixSite(runner, str(path)).start()
        yield


async def test_another_name_for_this_host_is_refused(site: Site) -> None:
    for path in ("/", "/sandbox/state", "/demo/status", "/daemon/health"):
        assert await site.status("GET", path, Host="evil.example:80") == 403


async def test_a_page_from_another_site_can_neither_read_nor_change_anything(site: Site) -> None:
    for path in ("/demo/plug", "/daemon/api/ingest", "/sandbox/users"):
        assert await site.status("POST", path, Origin="http://evil.example") == 403
    for path in ("/daemon/api/messages", "/app.js"):
        assert await site.status("GET", path, Sec_Fetch_Site="cross-site") == 403


async def test_a_link_from_another_site_opens_the_page(site: Site) -> None:
    assert await site.status("GET", "/", Sec_Fetch_Site="cross-site") == 200


async def test_a_change_without_an_origin_is_refused_except_for_the_bot_api(site: Site) -> None:
    for path in ("/demo/plug", "/demo/restart", "/daemon/api/ingest"):
        assert await site.status("POST", path) == 403
    assert await site.status("POST", f"/bot{site.sandbox.token}/getMe") == 200


async def test_while_the_daemon_is_down_requests_get_503(site: Site) -> None:
    async with site.http.post(f"{site.url}/daemon/api/ingest", headers={"Origin": site.url}) as response:
        assert (response.status, response.content_type) == (503, "application/problem+json")
        assert "Nothing was accepted" in (await response.json())["detail"]
    assert await site.status("POST", "/demo/plug", Origin=site.url) == 409


@pytest.mark.parametrize("body", ["[]", "{", '{"down_for_s": true}', '{"down_for_s": -1}', '{"down_for_s": 1e9}', "7"])
async def test_an_invalid_request_does_not_kill_the_daemon(site: Site, body: str) -> None:
    async with site.http.post(f"{site.url}/demo/plug", data=body, headers={"Origin": site.url}) as response:
        assert response.status == 400


async def test_a_request_and_its_response_are_forwarded(site: Site) -> None:
    headers = {"Origin": site.url, "Idempotency-Key": "once"}
    async with _daemon(site.socket):
        url = f"{site.url}/daemon/api/ingest?wait=1&x=a%2Fb"
        async with site.http.post(url, data="words", headers=headers) as response:
            said = await response.json()
    assert said == {"path": "/api/ingest?wait=1&x=a/b", "body": "words", "key": "once"}
    assert (response.status, response.headers["Retry-After"]) == (202, "7")
    assert "X-Secret" not in response.headers


async def test_a_dropped_response_says_that_the_request_may_have_been_accepted(site: Site) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(hang_up, str(site.socket))
    request = site.http.post(f"{site.url}/daemon/api/ingest", headers={"Origin": site.url})
    async with server, request as response:
        assert response.status == 502
        assert "may have accepted" in (await response.json())["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/?key=guess"),
        ("GET", "/app.js"),
        ("GET", "/sandbox/state"),
        ("POST", "/sandbox/say"),
        ("GET", "/sandbox/files/x"),
        ("GET", "/demo/status"),
        ("POST", "/demo/plug"),
        ("GET", "/daemon/api/messages"),
        ("POST", "/daemon/send_photo"),
    ],
)
async def test_without_the_key_of_the_address_nothing_is_served(site: Site, method: str, path: str) -> None:
    async with ClientSession() as stranger:
        headers = {"Origin": site.url, "Cookie": f"notifybot_demo_{site.url.rpartition(':')[2]}=guess"}
        async with stranger.request(method, f"{site.url}{path}", headers=headers, json={}) as response:
            assert response.status == 403
            assert "printed" in await response.text()


async def test_a_bot_needs_its_token_and_no_key(site: Site) -> None:
    async with ClientSession() as bot, bot.post(f"{site.url}/bot{site.sandbox.token}/getMe") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"user": "anna", "photo_path": "/etc/secret.png"}',
        b'{"user": "anna", "photo\\u005fpath": "/etc/secret.png"}',
        b'\xef\xbb\xbf{"photo_path": "/etc/secret.png"}',
        '{"photo_path": "/etc/secret.png"}'.encode("utf-16"),
        b'--x\r\nContent-Disposition: form-data; name="photo_path"\r\n\r\n/etc/secret.png\r\n--x--\r\n',
    ],
)
async def test_the_page_names_no_file_of_this_machine(site: Site, body: bytes) -> None:
    async with _daemon(site.socket):
        url, headers = f"{site.url}/daemon/send_photo", {"Origin": site.url, "Content-Type": "application/json"}
        async with site.http.post(url, data=body, headers=headers) as response:
            assert response.status == 403
