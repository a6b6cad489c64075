"""Pictures, files, formats, edits and repeats with the real daemon and the sandbox."""

import io
from pathlib import Path

import pytest

from notifybot.client import Button, Client, File
from tests.cli.real import Json, RealDaemon
from tests.cli.running import run
from tests.sandbox.pictures import png

PICTURE = png(64, 48)


@pytest.fixture
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> RealDaemon:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))
    return running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a picture and a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chart.png").write_bytes(PICTURE)
    (tmp_path / "Größe; 1.csv").write_bytes(b"a;b\r\n1;2\r\n" * 1000)
    return tmp_path


def send(capsys: pytest.CaptureFixture[str], daemon: RealDaemon, *argv: str) -> tuple[str, list[Json]]:
    """Send to the group, wait for delivery, and return the id and the new posts."""
    before = len(daemon.posts_in_ops())
    code, out, err = run(capsys, "send", "--to", daemon.ops, "--wait", *argv)
    assert (code, err) == (0, "")
    assert out.startswith("sent: ")
    return out.split()[1], daemon.posts_in_ops()[before:]


def test_a_picture_is_shown_with_its_caption(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    _, (post,) = send(capsys, daemon, "--photo", "chart.png", "the", "chart")

    assert post["caption"] == "the chart"
    assert daemon.content_of(post) == PICTURE


def test_a_file_is_shown_under_its_name(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    _, (post,) = send(capsys, daemon, "--file", "Größe; 1.csv")

    document = post["document"]
    assert isinstance(document, dict)
    assert document["file_name"] == "Größe; 1.csv"
    assert daemon.content_of(post) == b"a;b\r\n1;2\r\n" * 1000


def test_several_pictures_make_one_album(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    Path("second.png").write_bytes(png(32, 32))

    _, posts = send(capsys, daemon, "--photo", "chart.png", "--photo", "second.png", "both")

    assert len({post["media_group_id"] for post in posts}) == 1
    assert [daemon.content_of(post) for post in posts] == [PICTURE, png(32, 32)]
    assert [post.get("caption") for post in posts] == ["both", None]


@pytest.mark.parametrize(
    ("option", "text"),
    [("--html", "<b>disk</b>"), ("--markdown", "*disk*"), ("--markdownv2", "*disk*"), ("--commonmark", "**disk**")],
)
def test_a_format_is_shown(option: str, text: str, daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    _, (post,) = send(capsys, daemon, option, text)

    assert post["text"] == "disk"
    assert post["entities"] == [{"type": "bold", "offset": 0, "length": 4}]


def test_buttons_stand_under_the_message(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    _, (post,) = send(
        capsys, daemon, "--button", "Runbook=https://r.example/?a=b", "--copy-button", "Host=db-1", "text"
    )

    markup = post["reply_markup"]
    assert isinstance(markup, dict)
    buttons = [button for row in markup["inline_keyboard"] for button in row]
    assert [(button["text"], button.get("url"), button.get("copy_text")) for button in buttons] == [
        ("Runbook", "https://r.example/?a=b", None),
        ("Host", None, {"text": "db-1"}),
    ]


def test_a_silent_message_makes_no_sound(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    (post,) = send(capsys, daemon, "--silent", "text")[1]

    assert post["is_silent"] is True


def test_attachments_are_listed_and_saved(daemon: RealDaemon, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    message_id, _ = send(capsys, daemon, "--photo", "chart.png", "--file", "Größe; 1.csv", "--data", '{"a": [1]}', "x")
    (folder / "elsewhere").mkdir()

    story = run(capsys, "messages", "show", message_id)[1]
    saved = [run(capsys, "messages", "file", message_id, number, "-o", "elsewhere") for number in ("1", "2")]

    assert "chart.png" in story and "image/png" in story and "Größe; 1.csv" in story and "stored" in story
    assert '{"a": [1]}' in story
    assert [code for code, _, _ in saved] == [0, 0]
    assert (folder / "elsewhere" / "chart.png").read_bytes() == PICTURE
    assert (folder / "elsewhere" / "Größe; 1.csv").read_bytes() == (folder / "Größe; 1.csv").read_bytes()


def test_an_edit_changes_the_post(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    message_id, (post,) = send(capsys, daemon, "--title", "db-1", "disk 96 %")

    said = run(capsys, "messages", "edit", message_id[:13], "--title", "db-2", "disk 98 %")

    assert said == (0, f"edited: {message_id} (sent)\n", "")
    assert daemon.awaited("edited", post["message_id"])["text"] == "db-2\ndisk 98 %"


def test_repeats_count_up_on_one_message_until_it_is_resolved(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--alert", "--dedup-key", "disk-db-1")
    first, _ = send(capsys, daemon, *words, "96 %")

    second, posts = send(capsys, daemon, *words, "98 %")
    resolved = run(capsys, "send", "--to", daemon.ops, "--dedup-key", "disk-db-1", "--resolve", "71 %")
    again = run(capsys, "send", "--to", daemon.ops, "--dedup-key", "disk-db-1", "--resolve")

    assert (second, posts) == (first, [])
    assert resolved == (0, f"resolved: {first} (closed)\n", "")
    assert Client().message(first).repeats == 1
    assert again == (0, "nothing is open under disk-db-1\n", "")


def test_a_file_sent_again_under_its_client_id_is_sent_once(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = send(capsys, daemon, "--client-id", "nightly-chart", "--photo", "chart.png")

    code, out, _ = run(capsys, "send", "--to", daemon.ops, "--client-id", "nightly-chart", "--photo", "chart.png")

    assert (code, out) == (0, f"already accepted, not sent again: {first} (sent)\n")


def test_another_file_under_the_same_client_id_is_refused(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    send(capsys, daemon, "--client-id", "weekly-chart", "--photo", "chart.png")
    Path("chart.png").write_bytes(png(10, 10))

    code, _, err = run(capsys, "send", "--to", daemon.ops, "--client-id", "weekly-chart", "--photo", "chart.png")

    assert code == 2
    assert err.count("\n") == 2


def test_a_file_larger_than_allowed_is_refused_before_it_is_read(
    daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("large").open("wb") as large:
        large.truncate(300_000_000)

    code, _, err = run(capsys, "send", "--to", daemon.ops, "--file", "large")

    assert code == 2
    assert "50" in err.splitlines()[0]
    assert err.count("\n") == 2


def test_the_largest_file_goes_through_and_comes_back(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytes(range(256)) * 195_312
    Path("dump").write_bytes(content)

    message_id, (post,) = send(capsys, daemon, "--file", "dump")
    back = io.BytesIO()
    Client().download(Client().message(message_id).attachments[0], back)

    document = post["document"]
    assert isinstance(document, dict)
    assert document["file_size"] == len(content)
    assert back.getvalue() == content


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--file", "empty.log", "Build failed"), "📎 empty.log: empty.log is empty."),
        (("--file", "gone.log", "Build failed"), "📎 gone.log: gone.log does not exist."),
        (("--photo", "page.html", "Disk full"), "📎 page.html: This is not an image but text/html."),
        (("--photo", "page.html", "--html", "<b>Disk</b> full"), "📎 page.html: This is not an image but text/html."),
        (("--photo", "http://127.0.0.1/a.png", "Disk full"), "📎 http://127.0.0.1/a.png: The URL does not point to a"),
        (("--photo", "https://u:p@example.org/a.png", "Disk full"), "📎 image: content: a URL starts with https://"),
        (("--title", "Disk full", "--photo", "page.html"), "📎 page.html: This is not an image but text/html."),
    ],
)
def test_an_alert_with_a_bad_file_is_shown_and_names_it(
    words: tuple[str, ...], line: str, daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.log").touch()
    Path("page.html").write_text("<!doctype html><p>502 Bad Gateway")
    before = len(daemon.posts_in_ops())

    code, out, err = run(capsys, "send", "--to", daemon.ops, "--wait", "--alert", *words)

    assert (code, out.partition(":")[0]) == (0, "sent"), err
    (post,) = daemon.posts_in_ops()[before:]
    assert line in str(post["text"])
    assert words[-1].replace("<b>", "").replace("</b>", "") in str(post["text"]) or "--title" in words
    assert post["reply_markup"]


def test_a_policy_as_json_goes_with_a_picture(daemon: RealDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    policy = f'{{"steps": [{{"after": "7m", "to": ["{daemon.ops}"]}}]}}'

    message_id, (post,) = send(capsys, daemon, "--alert", "--policy", policy, "--photo", "chart.png", "disk")

    message = Client().message(message_id)
    assert message.escalate_at is not None
    assert (message.escalate_at - message.created_at).total_seconds() == pytest.approx(420, abs=1)
    assert str(post["caption"]).endswith("disk")


@pytest.mark.parametrize(
    "words",
    [
        ("--photo", "Größe; 1.csv"),
        ("--button", "Runbook=no address", "text"),
        ("--button", "Host=https://" + "x" * 5000, "text"),
        ("--photo", "https://user:password@example.org/x.png"),
        ("--source", "\udcff", "--file", "chart.png"),
    ],
)
def test_a_refusal_prints_two_lines_and_exits_with_2(
    words: tuple[str, ...], daemon: RealDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    before = daemon.posts_in_ops()

    code, out, err = run(capsys, "send", "--to", daemon.ops, *words)

    assert (code, out) == (2, "")
    assert [line.split(":")[0] for line in err.splitlines()] == ["error", "hint"]
    assert daemon.posts_in_ops() == before


def test_the_python_client_reads_back_what_it_sent(daemon: RealDaemon) -> None:
    buttons = (Button("Runbook", url="https://r.example/"), Button("Host", copy="db-1"))

    accepted = Client().send(
        "see",
        to=daemon.ops,
        photos=File(PICTURE, "chart.png"),
        parse_mode="HTML",
        priority="high",
        silent=True,
        link_preview=True,
        buttons=buttons,
        data={"größe": [1, None, "x"]},
        dedup_key="chart",
        wait_s=30,
    )
    message = Client().message(accepted.id)

    assert (message.text, message.parse_mode, message.priority) == ("see", "HTML", "high")
    assert (message.is_silent, message.has_link_preview, message.buttons) == (True, True, buttons)
    assert (message.data, message.dedup_key, message.repeats) == ({"größe": [1, None, "x"]}, "chart", 0)
    assert [(each.name, each.kind, each.size) for each in message.attachments] == [("chart.png", "photo", len(PICTURE))]


@pytest.mark.slow_because("a daemon starts again")
def test_a_file_sent_during_a_restart_is_posted_once(daemon: RealDaemon) -> None:
    before = len(daemon.posts_in_ops())
    assert daemon.stop() == 0
    daemon.launch()

    accepted = Client(patience_s=60).send(to=daemon.ops, photos="chart.png", wait_s=30)

    (post,) = daemon.posts_in_ops()[before:]
    assert accepted.status == "sent"
    assert daemon.content_of(post) == PICTURE
