"""Multipart forms and files: all kinds of errors, and nothing of a refused request is stored."""

import asyncio
import base64
from pathlib import Path

import pytest

from notifybot.routes import files
from tests.support.door import Answer, Door, assert_problem, door
from tests.support.pictures import png

pytestmark = pytest.mark.asyncio(loop_scope="module")
TO = b"-1001"
PICTURE = png(40, 30)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def part(name: str, content: bytes, *, file: str | None = None, **headers: str) -> bytes:
    named = f'Content-Disposition: form-data; name="{name}"' + ("" if file is None else f'; filename="{file}"')
    lines = [named, *(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())]
    return b"--x\r\n" + "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


async def submit(opened: Door, *parts: bytes, path: str = "/api/ingest") -> Answer:
    return await opened.ask("POST", path, form(*parts), Content_Type="multipart/form-data; boundary=x")


@pytest.fixture
def stored(shared: Door) -> Path:
    return shared.daemon.runtime.files.store.folder


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


WRONG = {
    "no name": (part("", b"x", file="a.png"),),
    "an unknown file": (part("picture", PICTURE, file="a.png"),),
    "an empty file": (part("photo", b"", file="a.png"),),
    "no picture": (part("photo", b"all is well", file="a.png"),),
    "a zip as a picture": (part("photo", b"PK\x03\x04" + bytes(100), file="a.png"),),
    "an encoded part": (part("photo", b"eA==", file="a.png", Content_Transfer_Encoding="base64"),),
    "a compressed part": (part("file", b"\x1f\x8b", file="a.gz", Content_Encoding="gzip"),),
    "a field twice": (part("caption", b"a"), part("caption", b"b"), part("photo", PICTURE, file="a.png")),
    "a caption that is no UTF-8": (part("caption", b"\xff"), part("photo", PICTURE, file="a.png")),
    "a blank caption": (part("caption", b" "), part("photo", PICTURE, file="a.png")),
    "content beside a file": (part("content", b"text"), part("photo", PICTURE, file="a.png")),
    "no JSON": (part("silent", b"yes"), part("photo", PICTURE, file="a.png")),
    "buttons that are none": (part("buttons", b'[{"text": "x"}]'), part("photo", PICTURE, file="a.png")),
    "an unknown field": (part("color", b"red"), part("photo", PICTURE, file="a.png")),
    "too many files": tuple(part("file", b"x", file=f"{number}.txt") for number in range(21)),
    "too many parts": tuple(part(f"f{number}", b"x") for number in range(101)),
    "nothing": (),
    "an image without content": (part("type", b"image"),),
}


async def test_invalid_characters_in_a_caption_are_replaced_as_in_json(shared: Door) -> None:
    fields = part("channel_id", TO), part("caption", b"a\0\xed\xa0\x80"), part("title", b"\0 T")
    answer = await submit(shared, *fields, part("photo", PICTURE, file="a.png"))

    message = (await shared.ask("GET", f"/api/messages/{answer.json['id']}")).json
    assert (message["caption"], message["title"]) == ("a␀\ufffd", "␀ T")


@pytest.mark.parametrize("parts", WRONG.values(), ids=WRONG.keys())
async def test_a_form_that_is_wrong_is_refused(refusing: Door, parts: tuple[bytes, ...]) -> None:
    assert_problem(await submit(refusing, part("channel_id", TO), *parts), 400)


async def test_an_empty_file_field_of_a_browser_counts_as_no_file(shared: Door) -> None:
    nothing = b'--x\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n\r\n\r\n'
    answer = await submit(shared, part("channel_id", TO), part("content", b"text"), nothing)

    assert answer.status == 202, answer
    assert (await shared.ask("GET", f"/api/messages/{answer.json['id']}")).json["attachments"] == []


@pytest.mark.parametrize("name", ["silent", "thread_id", "buttons", "data"])
async def test_a_field_that_is_no_json_is_refused_by_name(refusing: Door, name: str) -> None:
    answer = await submit(refusing, part("channel_id", TO), part(name, b"yes"), part("photo", PICTURE, file="a.png"))

    assert assert_problem(answer, 400)["errors"][0]["loc"] == [name]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        b"--y--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=photo; filename=a.png\r\n\r\n" + PICTURE,
        b"\x00" * 5000,
        b"--x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n",
        b"--x\r\nno header\r\n\r\nx\r\n--x--\r\n",
    ],
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
async def test_a_malformed_form_is_refused(refusing: Door, body: bytes, kind: str) -> None:
    assert_problem(await refusing.ask("POST", "/api/ingest", body or b" ", Content_Type=kind), 400)


@pytest.mark.parametrize(
    ("path", "field"), [("/send", "content"), ("/send_photo", "document"), ("/send_photo", "content")]
)
async def test_a_file_comes_in_the_field_that_is_meant_for_it(refusing: Door, path: str, field: str) -> None:
    found = assert_problem(
        await submit(refusing, part("user", b"x"), part(field, PICTURE, file="a.png"), path=path), 400
    )
    assert found["errors"][0]["loc"] == [field]


async def test_a_form_that_stops_half_way_leaves_nothing(refusing: Door, stored: Path) -> None:
    before = files_in(stored)
    start = part("channel_id", TO) + part("photo", bytes(300_000), file="a.png")[:200_000]
    lines = [b"POST /api/ingest HTTP/1.1", b"Host: x", b"Content-Type: multipart/form-data; boundary=x"]
    head = b"\r\n".join([*lines, b"Content-Length: 999999", b"", b""])
    async with refusing.connection() as line:
        await line.say(head + start)
        line.writer.write_eof()
        await line.is_closed()
    async with asyncio.timeout(20):
        while files_in(stored) != before:  # noqa: ASYNC110 - the disk tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("/etc/shadow", "shadow.txt"),
        ("..\\\\..\\\\boot.ini", "boot.ini"),
        ("....", "file.txt"),
        ("", "file.txt"),
        ("a\tb.txt", "ab.txt"),
        ("M%C3%A4rz.txt", "März.txt"),
        ("100%.txt", "100%.txt"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt"),
        ("Übersicht 😀.txt", "Übersicht 😀.txt"),
    ],
)
async def test_a_name_is_only_a_name(shared: Door, given: str, kept: str) -> None:
    answer = await submit(
        shared, part("channel_id", TO), part("acknowledge", b"false"), part("file", b"all is well", file=given)
    )
    detail = await shared.ask("GET", f"/api/messages/{answer.json['id']}")
    (file,) = detail.json["attachments"]
    assert file["name"] == kept
    assert (await shared.ask("GET", file["href"])).body == b"all is well"


@pytest.mark.parametrize(
    "content",
    [
        "http://example.org/a.png",
        "https://",
        "https:///a.png",
        "https://user:secret@example.org/a.png",
        "https://example.org:0/a.png",
        "https://example.org:99999/a.png",
        "https://example.org/a b.png",
        "https://[::1/a.png",
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "javascript://x",
        "https://example.org/" + "x" * 3000,
        "no base64 at all!",
        "data:image/png;base64,",
        "data:image/png,x",
        base64.b64encode(b"all is well").decode(),
        "====",
        None,
    ],
)
async def test_content_that_is_no_picture_is_refused(refusing: Door, content: str | None) -> None:
    fields = {"channel_id": -1001, "type": "image", "content": content}
    assert_problem(await refusing.ask("POST", "/api/ingest", fields), 400)


@pytest.mark.parametrize(
    "path",
    ["x", f"{ID}_1_a.png", "..%2f..%2fetc%2fpasswd", "%00", f"{ID}_1_..%2f..%2fconfig.yaml", f"{ID}_99999_a"],
)  # fmt: skip
async def test_a_file_that_is_not_there_is_404(refusing: Door, path: str) -> None:
    assert_problem(await refusing.ask("GET", f"/files/{path}"), 404)


async def test_a_head_request_for_a_file_returns_only_the_head(folder: Path) -> None:
    async with door(folder) as opened:
        answer = await submit(opened, part("channel_id", TO), part("file", bytes(500_000), file="core.bin"))
        detail = await opened.ask("GET", f"/api/messages/{answer.json['id']}")
        (file,) = detail.json["attachments"]
        lines = f"HEAD {file['href']} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
        async with opened.connection() as line:
            await line.say(lines.encode())
            head = await line.reader.readuntil(b"\r\n\r\n")
            following = await line.reader.readuntil(b"\r\n\r\n")
        assert b"\r\nContent-Length: 500000\r\n" in head
        assert following.startswith(b"HTTP/1.1 200")


async def test_a_client_that_does_not_read_a_file_is_disconnected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_WITHIN_S", 0.05)
    async with door(folder) as opened:
        answer = await submit(opened, part("channel_id", TO), part("file", bytes(5_000_000), file="core.bin"))
        detail = await opened.ask("GET", f"/api/messages/{answer.json['id']}")
        (file,) = detail.json["attachments"]
        async with opened.connection() as line:
            await line.say(f"GET {file['href']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await line.reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(20):
                while opened.daemon.runner.server and opened.daemon.runner.server.connections:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await line.reader.readexactly(5_000_000)


@pytest.mark.parametrize(
    "path", ["relative.png", "", "/", "/etc", "/dev/zero", "/dev/stdin", "/proc/self/environ", "/nothing/here.png",
             "/etc/passwd", "/x\x00.png", "/" + "x" * 5000, "/tmp/../etc/shadow", None],
)  # fmt: skip
async def test_a_path_that_leads_to_no_picture_is_refused(refusing: Door, path: str | None) -> None:
    found = assert_problem(await refusing.ask("POST", "/send_photo", {"user": "x", "photo_path": path}), 400)
    assert "root:" not in str(found)


async def test_a_full_disk_refuses_files_and_still_accepts_alerts(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with door(folder) as opened:
        opened.daemon.runtime.files.store.kept_free = 2**60
        answer = await submit(opened, part("channel_id", TO), part("file", b"all is well", file="a.txt"))
        found = assert_problem(answer, 503)
        assert found["hint"]
        assert (await opened.ingest()).status == 202
        assert files_in(opened.daemon.runtime.files.store.folder) == set()
        caplog.clear()  # this error is the operator's


async def test_the_same_file_is_kept_once(folder: Path) -> None:
    async with door(folder) as opened:
        answers = await asyncio.gather(
            *(submit(opened, part("channel_id", TO), part("photo", PICTURE, file=f"{n}.png")) for n in range(20))
        )
        assert {answer.status for answer in answers} == {202}
        assert len(files_in(opened.daemon.runtime.files.store.folder)) == 1


async def test_a_repeated_request_with_the_same_file_gets_the_first_message(folder: Path) -> None:
    async with door(folder) as opened:
        fields = (part("channel_id", TO), part("client_id", b"one"))
        first = await submit(opened, *fields, part("photo", PICTURE, file="a.png"))
        again = await submit(opened, *fields, part("photo", PICTURE, file="a.png"))
        other = await submit(opened, *fields, part("photo", png(41, 30), file="a.png"))
        assert (first.status, again.status, other.status) == (202, 200, 409)
        assert first.json["id"] == again.json["id"]
