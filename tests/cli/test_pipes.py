"""What comes from a pipe arrives, whatever its bytes are."""

import io
from collections.abc import Callable

import pytest

from notifybot.cli import main
from notifybot.cli.stdin import decoded, looks_like_columns, read_lines
from tests.cli.real import RealDaemon
from tests.cli.standin import StandIn

TO = "-1001234567890"
Send = Callable[..., tuple[int, str]]
DF = """\
Filesystem      Size  Used Avail Use% Mounted on
/dev/sda1        50G   48G  1.2G  98% /
tmpfs           3.9G     0  3.9G   0% /dev/shm
"""


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Send:
    """Send bytes from standard input; return the exit code and standard error."""

    def pipe(given: bytes, *words: str, to: str = TO) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsys.readouterr()
        return main(["send", "--to", to, *words]), capsys.readouterr().err

    return pipe


@pytest.mark.parametrize(
    ("raw", "encoding", "text", "escaped"),
    [
        (b"ok", "utf-8", "ok", 0),
        ("Größe".encode(), "iso-8859-1", "Größe", 0),
        ("\ufeffGröße".encode(), "utf-8", "Größe", 0),
        ("Größe\r\n".encode("utf-16"), "utf-8", "Größe\r\n", 0),
        (b"\xfe\xff" + "Größe 🔥".encode("utf-16-be"), "utf-8", "Größe 🔥", 0),
        ("Größe".encode("utf-32"), "utf-8", "Größe", 0),
        (b"\xff\xfeo\0k\0\x0a", "utf-8", r"ok\x0a", 0),
        (b"caf\xe9", "iso-8859-1", "café", 0),
        ("диск".encode("koi8-r"), "koi8-r", "диск", 0),
        (b"caf\xe9 \xff\xe2\x82", "utf-8", r"caf\xe9 \xff\xe2\x82", 4),
        (b"caf\xe9", "ANSI_X3.4-1968", r"caf\xe9", 1),
        (b"caf\xe9", "no such codec", r"caf\xe9", 1),
        (b"\xed\xa0\x80", "utf-8", r"\xed\xa0\x80", 3),
        (b"o\0k\0", "utf-8", "o\0k\0", 0),
    ],
)
def test_bytes_are_read_by_their_mark_as_utf_8_or_in_the_locale(
    raw: bytes, encoding: str, text: str, escaped: int
) -> None:
    assert decoded(raw, encoding) == (text, escaped)


def test_bytes_that_are_no_text_are_shown_escaped_and_the_sender_is_told(daemon: StandIn, send: Send) -> None:
    assert send(b"caf\xe9 closed") == (
        0,
        "warning: the text is not UTF-8; 1 byte is shown escaped, such as \\xe9.\n",
    )
    assert send(b"", b"caf\xe9".decode("utf-8", "surrogateescape"))[0] == 0
    assert [body["content"] for body in daemon.bodies()] == [r"caf\xe9 closed", r"caf\xe9"]


@pytest.mark.parametrize(
    ("text", "is_table"),
    [
        (DF, True),
        (DF.partition("tmpfs")[0], True),
        ("Disk:    96 %\nHost:    db1\nSince:   09:31", True),
        ("PID\tCOMMAND\n1\tinit\n4711\tpostgres", True),
        ("NAME      READY   STATUS\nweb-1     1/1     Running\n\nweb-2     0/1     Error\n", True),
        ("one line  with gaps", False),
        ("The disk is full.  It is db1.\nPlease look at it.  Now.\nThank you very much.", False),
        ("a normal text\nof two lines", False),
        ("    indented\n    text alone", False),
        ("a  https://x.org\nb  https://y.org", False),
        ("\n".join(["a  b"] * 201), False),
        ("a" * 400 + "  b\n" + "a" * 400 + "  b", False),
        ("", False),
    ],
)
def test_columns_are_recognized(text: str, is_table: bool) -> None:
    assert looks_like_columns(text) is is_table


@pytest.mark.parametrize(
    ("words", "mode"),
    [((), "Mono"), (("-",), "Mono"), (("--plain",), None), (("--html",), "HTML"), ((DF,), None)],
    ids=["piped", "dash", "plain", "html", "argument"],
)
def test_columns_from_a_pipe_are_monospaced_unless_a_format_is_given(
    words: tuple[str, ...], mode: str | None, daemon: StandIn, send: Send
) -> None:
    assert send(DF.encode(), *words) == (0, "")
    assert daemon.bodies()[0].get("parse_mode") == mode


LOG = "Ошибка\n" * 100_000


@pytest.mark.parametrize(
    ("words", "mode"), [((), None), (("--html",), None), (("--mono",), "Mono")], ids=["plain", "html", "mono"]
)
def test_a_long_text_goes_as_a_file_with_its_beginning(
    words: tuple[str, ...], mode: str | None, daemon: StandIn, send: Send
) -> None:
    assert send(LOG.encode(), "--alert", "--title", "Log", *words) == (0, "")

    (fields,), (file,) = daemon.bodies(), daemon.uploaded
    assert (file.field, file.name, file.content.decode()) == ("file", "message.txt", LOG.rstrip())
    assert (fields["title"], fields["acknowledge"], fields.get("parse_mode")) == ("Log", "true", mode)
    caption = str(fields["caption"])
    assert caption.startswith("Ошибка\nОшибка\n")
    assert caption.endswith("Ошибка\n\nThe full text is in the file.")
    assert len(caption) < 560


def test_letters_that_are_no_ascii_are_not_escaped(daemon: StandIn, send: Send) -> None:
    text = "ы" * 180_000

    assert send(text.encode()) == (0, "")
    assert daemon.bodies()[0]["content"] == text
    assert not daemon.uploaded


@pytest.mark.parametrize(
    ("given", "read", "is_cut"),
    [
        (b"1234567890", b"1234567890", False),
        (b"1234567890\n", b"1234567890", True),
        (b"1234\n6789\n12", b"1234\n6789\n", True),
        (b"1234\n678901", b"1234\n", True),
        (b"", b"", False),
    ],
)
def test_a_text_too_long_for_any_file_is_cut_at_a_line(given: bytes, read: bytes, is_cut: bool) -> None:
    assert read_lines(io.BytesIO(given), 10) == (read, is_cut)


@pytest.mark.parametrize(
    ("given", "words", "shown"),
    [
        (b"ok\0", (), "ok␀"),
        ("Größe: 5\r\n".encode("utf-16"), (), "Größe: 5"),
        (b"caf\xe9", (), r"caf\xe9"),
        (b"copy 10%\rcopy 100%\n", (), "copy 100%"),
        (b"\x1b[31mFAILED\x1b[0m db1\n", (), "FAILED db1"),
        (b"  a\n    b\n", (), "\u00a0\u00a0a\n    b"),
        (b"a\tb\r\n", ("--mono",), "a       b"),
        (DF.encode(), ("--title", "df"), "df\n" + DF.rstrip()),
    ],
)
def test_what_is_piped_is_shown_as_the_terminal_shows_it(
    given: bytes, words: tuple[str, ...], shown: str, running: RealDaemon, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))

    code, _ = send(given, "--wait", *words, to=running.ops)

    assert (code, running.shown_in_ops()[-1]) == (0, shown)


def test_a_long_log_stands_in_the_chat_as_a_file_with_its_beginning(
    running: RealDaemon, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))

    assert send(LOG.encode(), "--alert", "--wait", to=running.ops) == (0, "")

    post = running.posts_in_ops()[-1]
    assert str(post["caption"]).endswith("Ошибка\n\nThe full text is in the file.")
    assert "reply_markup" in post
    assert running.content_of(post).decode() == LOG.rstrip()
