"""Media types by first bytes, photos that Telegram accepts, and safe file names."""

import gzip
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.files.media_types import (
    NAME_BYTES,
    UNKNOWN,
    DetectedContent,
    detect,
    fits_photo,
    is_allowed,
    is_image,
    safe_name,
)
from tests.support import pictures

OFFICE = "application/vnd.openxmlformats-officedocument"


def what(content: bytes) -> DetectedContent:
    return detect(BytesIO(content))


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (pictures.png(640, 480), "image/png"),
        (pictures.jpeg(640, 480), "image/jpeg"),
        (pictures.jpeg(640, 480, marker=0xFFC2), "image/jpeg"),
        (pictures.gif(640, 480), "image/gif"),
        (pictures.bmp(640, 480), "image/bmp"),
        (pictures.bmp(640, -480), "image/bmp"),
        (pictures.webp_lossy(640, 480), "image/webp"),
        (pictures.webp_lossless(640, 480), "image/webp"),
        (pictures.webp_extended(640, 480), "image/webp"),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_header(content: bytes, media_type: str) -> None:
    assert what(content) == DetectedContent(media_type, 640, 480)


def test_a_jpegs_size_is_found_behind_its_thumbnail_and_its_profile() -> None:
    thumbnail = pictures.segment(0xFFE1, b"Exif\0\0" + pictures.jpeg(160, 120))
    profile = b"".join(pictures.segment(0xFFE2, bytes(65000)) for _ in range(9))

    assert what(pictures.jpeg(4000, 3000, before=thumbnail + profile + b"\xff\xff")) == DetectedContent(
        "image/jpeg", 4000, 3000
    )


def test_a_jpeg_made_of_countless_segments_is_given_up() -> None:
    endless = pictures.segment(0xFFE1, b"") * 100_000

    assert what(pictures.jpeg(1, 1, before=endless)) == DetectedContent("image/jpeg")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (pictures.zipped("a.txt"), "application/zip"),
        (
            pictures.zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"),
            f"{OFFICE}.wordprocessingml.document",
        ),
        (pictures.zipped("[Content_Types].xml", "xl/workbook.xml"), f"{OFFICE}.spreadsheetml.sheet"),
        (
            pictures.zipped("x", stored="application/vnd.oasis.opendocument.text"),
            "application/vnd.oasis.opendocument.text",
        ),
        (pictures.zipped("x", stored="image/png"), "application/zip"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0????", UNKNOWN),
        ("Grüße, 世界\n".encode(), "text/plain"),
        (b"\xef\xbb\xbfhello", "text/plain"),
        ("hello".encode("utf-16"), "text/plain"),
        (("ä" * 5000).encode(), "text/plain"),
        (("x" + "ä" * 5000).encode(), "text/plain"),
        ("Grüße".encode("latin-1"), UNKNOWN),
        (b"ends within \xe4", UNKNOWN),
        (b"a\0b", UNKNOWN),
        (b"  <!DOCTYPE html><p>", "text/html"),
        (b"<svg xmlns='x'>", "image/svg+xml"),
        (b"<?xml version='1.0'?><feed/>", "application/xml"),
        (b"", UNKNOWN),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content: bytes, media_type: str) -> None:
    assert what(content).media_type == media_type


@given(
    start=st.sampled_from(
        [
            b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM\0\0\0\0\0\0\0\0", b"PK\x03\x04",
            b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8 ",
            b"PK\x03\x04" + bytes(26) + b"mimetype",
        ]
    ),
    rest=st.binary(max_size=64),
)  # fmt: skip
def test_no_content_makes_detection_fail(start: bytes, rest: bytes) -> None:
    assert "/" in what(start + rest).media_type


@pytest.mark.parametrize(
    ("media_type", "size", "width", "height", "fits"),
    [
        ("image/png", 1000, 640, 480, True),
        ("image/png", 10_000_000, 5000, 5000, True),
        ("image/png", 10_000_001, 640, 480, False),
        ("image/jpeg", 1000, 5001, 5000, False),
        ("image/jpeg", 1000, 2000, 100, True),
        ("image/jpeg", 1000, 100, 2001, False),
        ("image/webp", 1000, 0, 480, False),
        ("image/png", 1000, None, None, False),
        ("image/gif", 1000, 640, 480, False),
        ("image/svg+xml", 1000, None, None, False),
        ("application/pdf", 1000, None, None, False),
    ],
)
def test_photos_that_telegram_accepts(
    media_type: str, size: int, width: int | None, height: int | None, fits: bool
) -> None:
    assert fits_photo(media_type, size, width=width, height=height) is fits


def test_a_bomb_of_pixels_is_measured_without_being_decoded_and_is_no_photo() -> None:
    bomb = what(pictures.png(2**31 - 1, 2**31 - 1))

    assert not fits_photo(bomb.media_type, 57, width=bomb.width, height=bomb.height)


def test_a_picture_is_made_of_pixels() -> None:
    assert [is_image(kind) for kind in ("image/png", "image/heic", "image/svg+xml", "video/mp4")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("allowed", "is_it"),
    [(None, True), (["image/png"], True), (["image/*"], True), (["application/pdf", "text/*"], False), ([], False)],
)
def test_types_are_allowed_by_name_or_by_family(allowed: list[str] | None, is_it: bool) -> None:
    assert is_allowed("image/png", allowed) is is_it


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße 世界.txt", "Grüße 世界.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../../x", "x"),
        ("a/", "file"),
        ("..", "file"),
        ("", "file"),
        (".bashrc", "bashrc"),
        (" . x.txt . ", "x.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("nul\0l.png", "null.png"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\ud800lone.txt", "lone.txt"),
        ('say "hi".txt', "say 'hi'.txt"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("ä" * 300 + ".png", "ä" * 98 + ".png"),
        ("x." + "y" * 300, "x." + "y" * 198),
        ("a." + "ä" * 5, "a." + "ä" * 5),
    ],
)
def test_a_name_is_only_a_name(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


def test_a_name_without_an_extension_gets_the_types_own() -> None:
    assert safe_name("200", "image/jpeg") == "200.jpg"
    assert safe_name("", "image/webp") == "file.webp"
    assert safe_name("chart.png", "image/jpeg") == "chart.png"
    assert safe_name("data", UNKNOWN) == "data"


@given(st.text(st.characters(codec=None), max_size=300))
def test_every_name_becomes_a_safe_one_that_stays_as_it_is(name: str) -> None:
    safe = safe_name(name)

    assert 0 < len(safe.encode()) <= NAME_BYTES
    assert not set(safe) & set('/\\\0\r\n"')
    assert not safe.startswith(".")
    assert safe_name(safe) == safe
