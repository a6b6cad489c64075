"""Files sent to the daemon: which are accepted, what arrives, and errors."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from notifybot.client import Button, Client, ClientError, File, Refused, resolve, send
from notifybot.client.body import multipart_body, open_upload
from notifybot.client.options import Attachable
from tests.cli.standin import (
    StandIn,
    Uploaded,
    a_message,
    accepted,
    cutting,
    json_reply,
    message_id,
    misbehaving,
    missing_files,
    problem,
    saying,
    serving,
)

TO = "-1001234567890"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    path = tmp_path / "chart.png"
    path.write_bytes(PNG)
    return path


# Accepted requests


def test_pictures_and_files_arrive_whole_and_in_order(daemon: StandIn, chart: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"--boundary\r\n\r\n\x00\xff" * 50_000)

    result = send("see above", to=TO, photos=[chart, str(chart)], files=[log])

    assert result.id == message_id(1)
    assert daemon.uploaded == [
        Uploaded("photo", "chart.png", PNG),
        Uploaded("photo", "chart.png", PNG),
        Uploaded("document", "log.txt", log.read_bytes()),
    ]
    assert daemon.bodies()[0]["caption"] == "see above"


def test_a_single_file_needs_no_list_and_no_text(daemon: StandIn, chart: Path) -> None:
    send(to=TO, photos=chart)

    assert [each.name for each in daemon.uploaded] == ["chart.png"]
    assert "caption" not in daemon.bodies()[0]


def test_form_fields_are_text_or_json(daemon: StandIn, chart: Path) -> None:
    send(
        "Größe 磁盘 👩‍👩‍👧\r\n\n--x",
        to=TO,
        photos=[chart],
        title="db1",
        alert=True,
        escalate_after="5m",
        silent=True,
        thread_id=7,
        priority="high",
        parse_mode="HTML",
        link_preview=True,
        dedup_key="disk",
        buttons=[Button("Runbook", url="https://r.example/?a=b"), Button("Host", copy="db-1")],
        data={"used": 0.96},
        client_id="k",
    )

    assert daemon.bodies()[0] == {
        "type": "image",
        "channel_id": TO,
        "title": "db1",
        "parse_mode": "HTML",
        "buttons": '[{"text": "Runbook", "url": "https://r.example/?a=b"}, {"text": "Host", "copy": "db-1"}]',
        "link_preview": "true",
        "priority": "high",
        "silent": "true",
        "thread_id": "7",
        "acknowledge": "true",
        "escalate_after": "5m",
        "dedup_key": "disk",
        "data": '{"used": 0.96}',
        "client_id": "k",
        "caption": "Größe 磁盘 👩‍👩‍👧\r\n\n--x",
    }


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "two words.txt",
        'quo"te.txt',
        "semi;co;lon.txt",
        "back\\slash",
        "Größe 磁盘.txt",
        "per%20cent",
        "-a",
    ],
)
def test_a_file_keeps_its_name(name: str, daemon: StandIn, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"content")

    send(to=TO, files=[tmp_path / name])

    assert daemon.uploaded == [Uploaded("document", name, b"content")]


@pytest.mark.parametrize("name", ["line\nbreak", "line\r\nX-Header: 1", "\udcff"])
def test_a_name_with_special_characters_does_not_break_the_header(name: str, daemon: StandIn) -> None:
    send(to=TO, files=[File(b"content", name)])

    assert [each.content for each in daemon.uploaded] == [b"content"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (File(b"content", "report.txt"), "report.txt"),
        (File(b"content", "../../etc/report.txt"), "report.txt"),
        (File(b"content"), "file"),
        (File(io.BytesIO(b"content"), "report.txt"), "report.txt"),
        (File(io.BytesIO(b"content")), "file"),
    ],
)
def test_bytes_and_open_files_are_sent_too(file: File, name: str, daemon: StandIn) -> None:
    send(to=TO, files=[file])

    assert daemon.uploaded == [Uploaded("document", name, b"content")]


def test_an_open_file_is_sent_from_its_position_and_stays_open(daemon: StandIn, chart: Path) -> None:
    with chart.open("rb") as file:
        file.read(8)
        send(to=TO, files=[File(file)])

        assert daemon.uploaded == [Uploaded("document", "chart.png", PNG[8:])]
        assert not file.closed


def test_data_from_a_pipe_is_sent_whole(daemon: StandIn, chart: Path) -> None:
    with piped(chart) as pipe:
        send(to=TO, files=[File(pipe, "chart.png")])

    assert daemon.uploaded == [Uploaded("document", "chart.png", PNG)]


def test_a_file_whose_size_is_only_known_by_reading_it_is_sent_whole(daemon: StandIn) -> None:
    send(to=TO, files=["/proc/self/mountinfo"])

    assert daemon.uploaded[0].content == Path("/proc/self/mountinfo").read_bytes()


def test_a_link_to_a_file_is_the_file(daemon: StandIn, chart: Path, tmp_path: Path) -> None:
    (tmp_path / "latest.png").symlink_to(chart)

    send(to=TO, files=[tmp_path / "latest.png"])

    assert daemon.uploaded == [Uploaded("document", "latest.png", PNG)]


@pytest.mark.parametrize(("kind", "type_"), [("photos", "image"), ("files", "document")])
def test_a_url_is_sent_to_the_daemon_as_it_is(kind: str, type_: str, daemon: StandIn) -> None:
    url = "https://example.org/a b.png?x=1"
    named = {"photos": (), "files": (), kind: (File(url, "chart.png"),)}

    send("see", to=TO, client_id="k", photos=named["photos"], files=named["files"])

    assert daemon.bodies() == [
        {
            "type": type_,
            "content": url,
            "file_name": "chart.png",
            "caption": "see",
            "channel_id": TO,
            "acknowledge": False,
            "client_id": "k",
        }
    ]


def test_without_files_everything_goes_as_json(daemon: StandIn) -> None:
    send("text", to=TO, buttons=[Button("Host", copy="db-1")], data={"a": [1]}, thread_id=7, client_id="k")

    assert daemon.bodies()[0] == {
        "type": "text",
        "content": "text",
        "channel_id": TO,
        "buttons": [{"text": "Host", "copy": "db-1"}],
        "thread_id": 7,
        "acknowledge": False,
        "data": {"a": [1]},
        "client_id": "k",
    }


@given(
    fields=st.dictionaries(st.sampled_from(["caption", "title", "data"]), st.text() | st.integers() | st.booleans()),
    files=st.lists(st.tuples(st.text(), st.binary(min_size=1)), min_size=1, max_size=5),
)
def test_a_form_is_as_long_as_it_says_and_the_same_each_time(
    fields: dict[str, object], files: list[tuple[str, bytes]]
) -> None:
    with ExitStack() as stack:
        body = multipart_body(fields, [open_upload(File(content, name), "document", stack) for name, content in files])
        first, second = b"".join(body.chunks()), b"".join(body.chunks())

    assert len(first) == body.length
    assert first == second


# Refused before anything is sent


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("gone.png", "gone.png does not exist"),
        ("", "An empty file name is given"),
        (".", ". is a directory"),
        ("/dev/zero", "/dev/zero is a device"),
        ("nul\0", "is not a path"),
        ("x" * 300, "cannot be read: File name too long"),
        ("ftp://example.org/a.png", "not an https URL"),
        ("file:///etc/passwd", "not an https URL"),
    ],
)
def test_a_file_that_cannot_be_sent_is_refused_alone_and_named_with_a_text(
    source: str, detail: str, daemon: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Refused, match=detail) as caught:
        send(to=TO, files=[source])
    send("text", to=TO, files=[source])

    assert caught.value.hint
    (body,) = daemon.bodies()
    assert (body["type"], body["content"]) == ("text", "text")
    (missing,) = missing_files(body)
    assert missing["name"] == (source.rstrip("/").rpartition("/")[2] or "file")
    assert detail in missing["reason"]


@pytest.mark.parametrize(("text", "title", "template"), [("a", None, None), (None, "a", None), (None, None, "a")])
def test_whatever_says_something_goes_without_its_file(
    text: str | None, title: str | None, template: str | None, daemon: StandIn
) -> None:
    send(text, to=TO, photos=["gone.png"], title=title, template=template)

    assert len(missing_files(daemon.bodies()[0])) == 1


def test_the_other_files_are_sent(daemon: StandIn, chart: Path) -> None:
    send(to=TO, photos=["gone.png", chart], files=[File(b"", "build.log")])

    (body,) = daemon.bodies()
    assert [each.name for each in daemon.uploaded] == ["chart.png"]
    assert body["type"] == "image"
    assert [each["name"] for each in missing_files(body)] == ["gone.png", "build.log"]


@pytest.mark.parametrize("file", [File(b"", "report.txt"), File(io.BytesIO()), "empty"])
def test_an_empty_file_is_refused(
    file: Attachable, daemon: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()

    with pytest.raises(Refused, match="is empty"):
        send(to=TO, files=[file])

    assert daemon.asked == []


def test_more_files_than_a_message_takes_are_named(daemon: StandIn, chart: Path) -> None:
    send(to=TO, photos=[chart] * 11, files=[chart] * 11)

    reasons = [each["reason"] for each in missing_files(daemon.bodies()[0])]
    assert (len(daemon.uploaded), reasons) == (20, ["A message can have at most 20 files."] * 2)


def test_a_url_beside_other_files_is_named(daemon: StandIn, chart: Path) -> None:
    send(to=TO, photos=["https://example.org/a.png"], files=[chart])

    (missing,) = missing_files(daemon.bodies()[0])
    assert "https://example.org/a.png is not sent: a message can have one URL" in missing["reason"]
    assert [each.name for each in daemon.uploaded] == ["chart.png"]


def test_an_http_url_is_passed_on(daemon: StandIn) -> None:
    send(to=TO, photos="http://example.org/a.png")

    assert daemon.bodies()[0]["content"] == "http://example.org/a.png"


@pytest.mark.parametrize("button", [Button("nothing"), Button("both", url="https://a.example", copy="b")])
def test_a_button_does_one_thing(button: Button, daemon: StandIn) -> None:
    with pytest.raises(Refused, match="needs a URL or a text to copy"):
        send("text", to=TO, buttons=[button])

    assert daemon.asked == []


def test_a_message_needs_a_text_or_a_file(daemon: StandIn) -> None:
    with pytest.raises(Refused, match="No text or file is given"):
        send(to=TO)

    assert daemon.asked == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without permission")
def test_a_file_is_read_under_the_callers_own_account(daemon: StandIn, chart: Path) -> None:
    chart.chmod(0o600)
    script = f"""
import os, pathlib  # import now: other users may not be able to enter the interpreter's folder
from notifybot.client import Refused, send
os.chdir({str(chart.parent)!r})
os.setuid(65534)
try:
    send(to="1", files=["chart.png"])
except Refused as error:
    print(error.detail)
"""

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)

    assert (shown.stdout, shown.stderr) == ("Permission denied: chart.png.\n", "")
    assert daemon.asked == []


def test_an_endless_pipe_is_refused(daemon: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifybot.client.body.MAX_COPY_BYTES", 200_000)

    with piped(Path("/dev/zero")) as zeros, pytest.raises(Refused, match="too large"):
        send(to=TO, files=[File(zeros, "zeros")])

    assert daemon.asked == []


def test_a_pipe_that_cannot_be_copied_is_refused_with_the_reason(daemon: StandIn) -> None:
    script = """
import os, resource
from notifybot.client import ClientError, File, send
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.write(write_end, bytes(100_000))
    os._exit(0)
os.close(write_end)
try:
    send(to="1", files=[File(open(read_end, "rb"), "data")])
except ClientError as error:
    print(error.detail, error.is_callers_fault)
"""

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert shown.stdout == "Cannot copy data to a temporary file: File too large. False\n"
    assert daemon.asked == []


# Retries


def test_a_file_is_sent_again_in_the_same_request(tmp_path: Path, chart: Path) -> None:
    with misbehaving(tmp_path / "s", cutting, saying(json_reply(accepted()))) as requests:
        send("see", to=TO, photos=[chart], socket_path=tmp_path / "s")

    assert requests[0] == requests[1]
    assert PNG in requests[1]


def test_data_from_a_pipe_can_be_sent_again(tmp_path: Path, chart: Path) -> None:
    with misbehaving(tmp_path / "s", cutting, saying(json_reply(accepted()))) as requests, piped(chart) as pipe:
        send(to=TO, files=[File(pipe, "chart.png")], socket_path=tmp_path / "s")

    assert requests[0] == requests[1]
    assert PNG in requests[1]


def test_a_file_that_grows_meanwhile_is_sent_with_its_first_size(tmp_path: Path, chart: Path) -> None:
    def grow(_: object) -> None:
        chart.write_bytes(PNG + b"more")

    with misbehaving(tmp_path / "s", grow, saying(json_reply(accepted()))) as requests:
        send(to=TO, files=[chart], socket_path=tmp_path / "s")

    assert requests[0] == requests[1]


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path: Path, chart: Path) -> None:
    def shrink(_: object) -> None:
        os.truncate(chart, 100)

    with misbehaving(tmp_path / "s", shrink, saying(json_reply(accepted()))), pytest.raises(Refused, match="shrank"):
        send(to=TO, files=[chart], socket_path=tmp_path / "s")


def test_a_file_that_is_too_large_is_refused_in_the_daemons_words(daemon: StandIn, chart: Path) -> None:
    daemon.refuse = lambda: problem(413, "The file is larger than 50 MB.")

    with pytest.raises(Refused, match="larger than 50 MB"):
        send(to=TO, files=[chart])


def test_an_early_refusal_of_a_large_file_is_read_at_once(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return problem(413, "The file is larger than 50 MB.")

    class Refusing(StandIn):
        def app(self) -> web.Application:
            app = web.Application()
            app.router.add_post("/api/ingest", refuse)
            return app

    with (tmp_path / "large").open("wb") as large:
        large.truncate(200_000_000)

    with serving(Refusing(tmp_path / "s")), pytest.raises(Refused, match="larger than 50 MB"):
        send(to=TO, files=[tmp_path / "large"], socket_path=tmp_path / "s")


# Resolving, changing, fetching


def test_resolve_closes_the_message_of_a_key(daemon: StandIn) -> None:
    daemon.add(a_message(1, dedup_key="disk"))

    resolved = resolve("disk", to=TO, text="88 % again")

    assert resolved is not None
    assert (resolved.id, resolved.status) == (message_id(1), "closed")
    body = daemon.bodies()[0]
    assert body.pop("client_id")
    assert body == {"channel_id": TO, "action": "resolve", "dedup_key": "disk", "content": "88 % again"}


def test_nothing_to_resolve_is_no_failure(daemon: StandIn) -> None:
    assert resolve("disk", to=TO) is None


def test_a_refused_resolve_raises(daemon: StandIn) -> None:
    daemon.refuse = lambda: problem(400, "There is no person alice.")

    with pytest.raises(Refused, match="alice"):
        resolve("disk", to="alice")


@pytest.mark.parametrize(
    ("text", "title", "asked"),
    [
        ("new", None, {"content": "new"}),
        (None, "T", {"title": "T"}),
        ("new", "T", {"content": "new", "title": "T"}),
        (None, "", {"title": None}),
    ],
)
def test_edit_sends_only_what_is_given(
    text: str | None, title: str | None, asked: dict[str, object], daemon: StandIn
) -> None:
    daemon.add(a_message(1))

    Client().edit(message_id(1), text, title=title)

    assert daemon.asked == [("PATCH", f"/api/messages/{message_id(1)}", asked)]


def test_an_edit_of_nothing_is_refused(daemon: StandIn) -> None:
    with pytest.raises(Refused, match="No text or title is given"):
        Client().edit(message_id(1))

    assert daemon.asked == []


def test_every_field_of_a_message_is_read(daemon: StandIn) -> None:
    file = {"name": "chart.png", "kind": "photo", "size": 48_200, "media_type": "image/png", "url": None}
    daemon.add(
        a_message(
            1,
            type="image",
            content=None,
            caption="see",
            parse_mode="HTML",
            priority="high",
            silent=True,
            thread_id=7,
            buttons=[{"text": "Host", "copy": "db-1"}],
            data={"a": 1},
            dedup_key="disk",
            repeats=3,
            attachments=[{**file, "href": "/files/x_1_chart.png", "problem": None}],
        )
    )

    message = Client().message(message_id(1))

    assert (message.type, message.content, message.caption, message.text) == ("image", None, "see", "see")
    assert (message.parse_mode, message.priority, message.is_silent, message.thread_id) == ("HTML", "high", True, 7)
    assert message.buttons == (Button("Host", copy="db-1"),)
    assert (message.data, message.dedup_key, message.repeats) == ({"a": 1}, "disk", 3)
    assert (message.attachments[0].name, message.attachments[0].size) == ("chart.png", 48_200)


def test_an_attachment_is_downloaded(daemon: StandIn) -> None:
    daemon.add(a_message(1, attachments=[kept("chart.png")]))
    daemon.files["x_1_chart.png"] = PNG
    target = io.BytesIO()

    Client().download(Client().message(message_id(1)).attachments[0], target)

    assert target.getvalue() == PNG


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"href": None, "problem": "The address did not answer."}, "does not have chart.png"),
        ({"href": "http://elsewhere/"}, "Unexpected response"),
        ({"href": "/files/x\r\nX: 1"}, "Unexpected response"),
        ({"href": "/files/gone"}, "No such file"),
    ],
)
def test_an_attachment_that_the_daemon_does_not_have_is_refused(
    fields: dict[str, object], error: str, daemon: StandIn
) -> None:
    daemon.add(a_message(1, attachments=[{**kept("chart.png"), **fields}]))
    target = io.BytesIO()

    with pytest.raises(ClientError, match=error):
        Client().download(Client().message(message_id(1)).attachments[0], target)

    assert target.getvalue() == b""


def kept(name: str) -> dict[str, object]:
    href = f"/files/x_1_{name}"
    return {"name": name, "kind": "photo", "size": len(PNG), "media_type": "image/png", "href": href}


@contextmanager
def piped(path: Path) -> Iterator[IO[bytes]]:
    """Open a pipe with the content of a file."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        yield writer.stdout
