"""Fetching files by URL: https and http, public servers only, complete, within the size limit, against any server."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from notifybot.errors import Unavailable
from notifybot.files.fetch import NO_PUBLIC_SERVER, FetchedFile, Fetcher, FetchFailed, FetchTimeouts, SystemResolver
from notifybot.files.public_addresses import Address, is_public
from notifybot.files.store import FileStore
from tests.support import pictures
from tests.support.file_servers import Certificate, Server, chunked, make_certificate, ok, redirect, serving

MAX_BYTES = 1_000_000
PNG = pictures.png(640, 480)
OUTSIDE = "127.0.0.1"
"""Counts as public in these tests; the other loopback addresses count as internal."""
INSIDE = "127.0.0.2"


@dataclass
class Names:
    """A name server that records its queries. Several lists for a name are its answers, one after the other."""

    known: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.known.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class Place:
    server: Server
    names: Names
    store: FileStore
    fetcher: Fetcher

    async def fetch(self, path: str = "/x.png", answer: bytes | None = None) -> FetchedFile:
        if answer is not None:
            self.server.answers[path] = answer
        return await self.fetcher.fetch(self.server.url(path))

    async def failure(self, url: str) -> FetchFailed:
        """Return the failure of a fetch, which stores nothing."""
        with pytest.raises(FetchFailed) as caught:
            await self.fetcher.fetch(url)
        assert [path for path in self.store.folder.rglob("*") if path.is_file()] == []
        return caught.value

    async def failure_of(self, answer: bytes) -> FetchFailed:
        self.server.answers["/x.png"] = answer
        return await self.failure(self.server.url("/x.png"))


def may_reach(address: Address) -> bool:
    return str(address) == OUTSIDE or is_public(address)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def place(tmp_path: Path, certificate: Certificate) -> AsyncIterator[Place]:
    store = FileStore(tmp_path / "attachments", max_bytes=MAX_BYTES, kept_free=0)
    names = Names({"files.example": [[OUTSIDE]], "other.example": [[OUTSIDE]]})
    timeouts = FetchTimeouts(total=20, connect=10, read=10)
    fetcher = Fetcher(store, resolve=names, tls=certificate.for_client(), may_reach=may_reach, timeouts=timeouts)
    async with serving(certificate.for_server()) as server:
        yield Place(server, names, store, fetcher)
    store.close()


def hasty(place: Place, certificate: Certificate, timeouts: FetchTimeouts) -> Fetcher:
    tls = certificate.for_client()
    return Fetcher(place.store, resolve=place.names, tls=tls, may_reach=may_reach, timeouts=timeouts)


async def test_a_file_is_fetched_into_the_store(place: Place) -> None:
    place.server.answers["/charts/load.png?width=640"] = ok(PNG)
    fetched = await place.fetch("/charts/load.png?width=640#top")

    assert (fetched.name, fetched.file.media_type, fetched.file.width) == ("load.png", "image/png", 640)
    assert place.store.path_of(fetched.file.sha256).read_bytes() == PNG


async def test_a_file_in_chunks_is_fetched_whole(place: Place) -> None:
    fetched = await place.fetch(answer=chunked(PNG, b"x" * 100_000, b"y"))

    assert fetched.file.size == len(PNG) + 100_001


async def test_a_request_says_who_asks_and_nothing_else(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{INSIDE}:1")
    place.server.answers["/first"] = redirect("/x.png").replace(b"Content-Length", b"Set-Cookie: a=b\r\nContent-Length")
    place.server.answers["/x.png"] = ok(PNG)
    await place.fetch("/first")

    headers = [line.partition(":")[0] for line in place.server.requests[-1].split("\r\n")[1:] if line]
    assert sorted(headers) == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]
    assert "Accept-Encoding: identity\r\n" in place.server.requests[-1]
    assert f"Host: files.example:{place.server.port}\r\n" in place.server.requests[-1]


@pytest.mark.parametrize(
    ("path", "header", "name"),
    [
        ("/a/b.png", "", "b.png"),
        ("/gr%C3%BC%C3%9Fe.png", "", "grüße.png"),
        ("/..%2F..%2Fetc%2Fpasswd", "", "passwd.png"),
        ("/", "", "file.png"),
        ("/200", "", "200.png"),
        ("/x", 'attachment; filename="report 1.png"', "report 1.png"),
        ("/x", "attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe.png", "grüße.png"),
        ("/x", "attachment; filename=grüße.png", "grüße.png"),
        ("/x", 'attachment; filename="../../../etc/cron.d/x"', "x.png"),
        ("/x", "attachment; filename*=bogus'", "bogus'.png"),
        ("/x", "attachment; filename*=nonsense''%FF.png", "ÿ.png"),
        ("/x.png", "attachment", "x.png"),
        ("/x.png", ";;;=", "x.png"),
    ],
)
async def test_a_file_is_named_by_the_server_or_by_its_url(place: Place, path: str, header: str, name: str) -> None:
    place.server.answers[path] = ok(PNG, *([f"Content-Disposition: {header}"] if header else []))

    assert (await place.fetch(path)).name == name


# Requests that are never sent


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://", "https"),
        ("http://user:password@files.example/", "password"),
        ("http://files.example:443/", "port"),
        ("http://files.example:25/", "port"),
        ("ftp://files.example/x", "https"),
        ("file:///etc/passwd", "https"),
        ("gopher://files.example/", "https"),
        ("data:text/plain,x", "https"),
        ("//files.example/x", "https"),
        ("files.example/x", "https"),
        ("https:///x", "https"),
        ("", "https"),
        ("https://user:password@files.example/", "password"),
        ("https://user@files.example/", "password"),
        ("https://files.example:22/", "port"),
        ("https://files.example:80/", "port"),
        ("https://files.example:1023/", "port"),
        ("https://files.example:99999/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://files.example/a b", "spaces"),
        ("https://files.example\\@127.0.0.1/", "backslashes"),
        ("https://files.example/\r\nHost: x", "spaces"),
        ("https://files.example/" + "x" * 5000, "too long"),
    ],
)
async def test_an_unsupported_url_is_refused(place: Place, url: str, reason: str) -> None:
    failure = await place.failure(url)

    assert reason in failure.reason
    assert not failure.is_temporary
    assert place.names.asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "192.168.0.1", "[::1]", "2130706433", "inner.example"]
)
async def test_http_reaches_no_more_than_https(place: Place, host: str) -> None:
    place.names.known["inner.example"] = [[INSIDE]]

    assert not (await place.failure(f"http://{host}:{place.server.port}/x.png")).is_temporary
    assert place.server.connections == 0


async def test_a_file_is_fetched_over_http_and_its_redirect_to_https_is_followed(place: Place) -> None:
    place.server.answers["/x.png"] = ok(PNG)
    async with serving(None) as plain:
        plain.answers["/x.png"] = ok(PNG)
        plain.answers["/moved"] = redirect(place.server.url("/x.png"))
        url = f"http://files.example:{plain.port}"

        assert (await place.fetcher.fetch(f"{url}/x.png")).file.size == len(PNG)
        assert (await place.fetcher.fetch(f"{url}/moved")).file.size == len(PNG)
    assert place.server.connections == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.2", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.100.100.200", "192.168.0.1", "224.0.0.1",
     "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
     "[2001:0:7f00:1::]", "[fe80::1%25lo]", "[fd00:ec2::254]", "[ff02::1]",
     "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "127.0.0.1.", "%31%32%37.1",
     "１２７.1", "①②⑦.①"],
)  # fmt: skip
async def test_an_address_inside_is_refused_in_every_form(place: Place, host: str) -> None:
    failure = await place.failure(f"https://{host}:{place.server.port}/x.png")

    assert not failure.is_temporary
    assert (place.names.asked, place.server.connections) == ([], 0)


@pytest.mark.parametrize(
    "addresses",
    [[INSIDE], [OUTSIDE, INSIDE], ["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], [], ["fe80::1%lo"],
     ["nonsense"], ["8.8.8.8", "fd00::1"]],
)  # fmt: skip
async def test_a_name_with_an_internal_address_is_refused_like_an_unknown_one(
    place: Place, addresses: list[str]
) -> None:
    place.names.known["inner.example"] = [addresses]

    assert (await place.failure(place.server.url("/x.png", "inner.example"))).reason == NO_PUBLIC_SERVER
    assert (await place.failure(place.server.url("/x.png", "missing.example"))).reason == NO_PUBLIC_SERVER
    assert place.server.connections == 0


async def test_a_name_that_cannot_be_looked_up_now_may_be_later(place: Place, certificate: Certificate) -> None:
    async def away(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    fetcher = Fetcher(place.store, resolve=away, tls=certificate.for_client())
    with pytest.raises(FetchFailed, match="cannot be resolved") as caught:
        await fetcher.fetch("https://files.example/")
    assert caught.value.is_temporary


async def test_the_systems_names_are_checked_like_any(place: Place) -> None:
    resolver = SystemResolver()
    fetcher = Fetcher(place.store, resolve=resolver)
    try:
        with pytest.raises(FetchFailed, match="public server"):
            await fetcher.fetch("https://localhost/")
    finally:
        resolver.close()


async def test_a_name_that_is_looked_up_again_cannot_lead_elsewhere(place: Place, certificate: Certificate) -> None:
    """Given a name server that answers with a public address first and an internal one later (DNS rebinding)."""
    place.names.known["files.example"] = [[OUTSIDE], [INSIDE]]
    async with serving(certificate.for_server(), address=INSIDE, port=place.server.port) as inside:
        inside.answers["/x.png"] = ok(b"secret")
        assert (await place.fetch(answer=ok(PNG))).file.size == len(PNG)
        assert place.names.asked == ["files.example"]
        assert inside.connections == 0


async def test_a_redirect_to_the_same_name_is_checked_again(place: Place, certificate: Certificate) -> None:
    place.names.known["files.example"] = [[OUTSIDE], [INSIDE]]
    async with serving(certificate.for_server(), address=INSIDE, port=place.server.port) as inside:
        assert (await place.failure_of(redirect("/x.png"))).reason == NO_PUBLIC_SERVER
        assert inside.connections == 0


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(place: Place, status: int) -> None:
    place.server.answers["/first"] = redirect("second?x=1", status=status)
    place.server.answers["/second?x=1"] = redirect(place.server.url("/x.png", "other.example"), status=status)
    place.server.answers["/x.png"] = ok(PNG)

    assert (await place.fetch("/first")).name == "x.png"
    assert place.names.asked == ["files.example", "files.example", "other.example"]


async def test_five_redirects_are_followed_and_no_sixth(place: Place) -> None:
    for hop in range(6):
        place.server.answers[f"/{hop}"] = redirect(f"/{hop + 1}")
    place.server.answers["/6"] = ok(PNG)

    assert "too often" in (await place.failure(place.server.url("/0"))).reason
    assert (await place.fetch("/1")).file.size == len(PNG)


@pytest.mark.parametrize(
    "to",
    ["http://files.example/x", "file:///etc/passwd", "data:,x", "https://127.0.0.2:1/x", "https://[::1]:1/x",
     "https://2130706433:1/", "https://inner.example:1/", "//169.254.169.254/latest", "https://u:p@files.example/",
     "https://files.example:22/", "", "https://[", "http:x"],
)  # fmt: skip
async def test_a_redirect_leads_nowhere_that_a_caller_could_not_name(place: Place, to: str) -> None:
    place.names.known["inner.example"] = [[INSIDE]]
    failure = await place.failure_of(redirect(to))

    assert not failure.is_temporary
    assert place.server.connections == 1


# Bodies


async def test_a_file_announced_as_too_large_is_not_read(place: Place) -> None:
    failure = await place.failure_of(f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n".encode())

    assert failure.reason == f"The file is larger than {MAX_BYTES} bytes."
    assert not failure.is_temporary


async def test_an_endless_file_is_read_up_to_the_limit(place: Place) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()

    place.server.answers["/endless"] = endless
    assert "larger than" in (await place.failure(place.server.url("/endless"))).reason


@pytest.mark.parametrize(
    "timeouts", [FetchTimeouts(total=0.3, connect=5, read=5), FetchTimeouts(total=20, connect=5, read=0.2)]
)
async def test_a_server_that_falls_silent_is_given_up(
    place: Place, certificate: Certificate, timeouts: FetchTimeouts
) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbeginning")
        await writer.drain()
        await asyncio.Event().wait()

    place.server.answers["/x.png"] = silent
    place.fetcher = hasty(place, certificate, timeouts)
    failure = await place.failure(place.server.url("/x.png"))

    assert (failure.reason, failure.is_temporary) == ("The server took too long.", True)


async def test_a_server_that_drips_is_given_up(place: Place, certificate: Certificate) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    place.server.answers["/x.png"] = drip
    place.fetcher = hasty(place, certificate, FetchTimeouts(total=0.5, connect=5, read=5))

    assert "too long" in (await place.failure(place.server.url("/x.png"))).reason


async def test_a_silent_name_server_is_given_up(place: Place) -> None:
    async def silent(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    fetcher = Fetcher(place.store, resolve=silent, timeouts=FetchTimeouts(total=0.1))
    with pytest.raises(FetchFailed, match="too long"):
        await fetcher.fetch("https://files.example/")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + bytes(200_000),
        chunked(b"half", ends=False),
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
)
async def test_a_truncated_file_is_discarded_and_may_be_retried(place: Place, answer: bytes) -> None:
    failure = await place.failure_of(answer)

    assert "connection broke" in failure.reason
    assert failure.is_temporary


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nxxxxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nxxxxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx",
        ok(PNG) + b"more than was said",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n",
    ],
)
async def test_a_malformed_http_response_is_refused(place: Place, answer: bytes) -> None:
    await place.failure_of(answer)


async def test_a_file_of_unknown_length_is_refused(place: Place) -> None:
    assert "neither the length nor the end" in (await place.failure_of(b"HTTP/1.1 200 OK\r\n\r\nall of it?")).reason


async def test_a_bomb_of_compressed_zeros_is_not_unpacked(place: Place) -> None:
    bomb = gzip.compress(bytes(100 * MAX_BYTES))
    failure = await place.failure_of(ok(bomb, "Content-Encoding: gzip"))

    assert len(bomb) < MAX_BYTES
    assert "compressed" in failure.reason


async def test_an_empty_file_is_refused(place: Place) -> None:
    assert "empty" in (await place.failure_of(ok(b""))).reason


@pytest.mark.parametrize(
    ("status", "is_temporary"),
    [(204, False), (206, False), (304, False), (401, False), (404, False), (429, True), (500, True), (503, True)],
)
async def test_a_response_without_the_file_is_a_failure(place: Place, status: int, is_temporary: bool) -> None:
    failure = await place.failure_of(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())

    assert (failure.reason, failure.is_temporary) == (f"The server responded with status {status}.", is_temporary)


# Connections


async def test_a_certificate_for_another_name_is_not_trusted(place: Place) -> None:
    place.names.known["third.example"] = [[OUTSIDE]]

    assert "not trusted" in (await place.failure(place.server.url("/x.png", "third.example"))).reason


async def test_a_certificate_of_an_unknown_issuer_is_not_trusted(place: Place) -> None:
    place.fetcher = Fetcher(place.store, resolve=place.names, may_reach=may_reach)

    assert "not trusted" in (await place.failure(place.server.url("/x.png"))).reason


async def test_a_server_without_tls_is_refused(place: Place) -> None:
    def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, OUTSIDE, 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        failure = await place.failure(f"https://files.example:{port}/")

    assert "TLS handshake" in failure.reason


async def test_an_unreachable_server_is_a_temporary_failure(place: Place) -> None:
    async with serving(None) as gone:
        url = gone.url("/x.png")
    failure = await place.failure(url)

    assert (failure.reason, failure.is_temporary) == ("The server cannot be reached.", True)


async def test_no_room_for_the_file_is_no_fault_of_the_server(place: Place, tmp_path: Path) -> None:
    (tmp_path / "attachments").write_text("no folder")
    with pytest.raises(Unavailable):
        await place.fetch(answer=ok(PNG))


async def test_a_fetch_that_is_cancelled_leaves_nothing(place: Place) -> None:
    begun = asyncio.Event()

    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + bytes(300_000))
        await writer.drain()
        begun.set()
        await asyncio.Event().wait()

    place.server.answers["/x.png"] = silent
    fetch = asyncio.create_task(place.fetch())
    await begun.wait()
    fetch.cancel()
    await asyncio.wait([fetch])

    assert fetch.cancelled()
    assert [path for path in place.store.folder.rglob("*") if path.is_file()] == []


async def test_fifty_fetches_at_once_all_come(place: Place) -> None:
    for index in range(50):
        place.server.answers[f"/{index}"] = ok(pictures.png(index + 1, 10))
    fetched = await asyncio.gather(*(place.fetch(f"/{index}") for index in range(50)))

    assert [each.file.width for each in fetched] == list(range(1, 51))


def test_the_tls_context_is_built_at_the_first_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_certificates() -> ssl.SSLContext:
        raise AssertionError("no fetch has begun")

    monkeypatch.setattr(ssl, "create_default_context", load_certificates)
    Fetcher(FileStore(tmp_path, max_bytes=MAX_BYTES), resolve=Names())


async def test_by_default_only_the_systems_authorities_are_trusted(place: Place) -> None:
    fetcher = Fetcher(place.store, resolve=place.names, may_reach=may_reach)
    for _ in range(2):
        with pytest.raises(FetchFailed, match="certificate is not trusted"):
            await fetcher.fetch(place.server.url("/x.png"))
