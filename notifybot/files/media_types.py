"""Detect media types and image sizes from a file's first bytes; sanitize file names."""

import codecs
import contextlib
import io
import mimetypes
import re
import struct
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import BinaryIO

HEAD_BYTES = 4096
UNKNOWN = "application/octet-stream"
PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
"""Types that Telegram shows as photos. GIFs go as documents, because a photo would not be animated."""
PHOTO_BYTES = 10_000_000
PHOTO_WIDTH_AND_HEIGHT = 10_000
PHOTO_RATIO = 20
NAME_BYTES = 200
EXTENSION_BYTES = 20
MAX_SEGMENTS = 500
"""A JPEG has about twenty segments before its size; the limit bounds a malicious file."""

Size = tuple[int, int]


@dataclass(frozen=True)
class DetectedContent:
    """Media type, and the size in pixels for the image types in _MEASURES."""

    media_type: str
    width: int | None = None
    height: int | None = None


# The first match counts. Types that need more than bytes at an offset have a function below.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}
_OFFICE = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DECLARED = re.compile(rb"application/(vnd\.oasis\.opendocument\.[a-z-]{1,60}|epub\+zip)")
_EXTENSIONS = mimetypes.MimeTypes()  # without the system's own tables: the same everywhere


def detect(file: BinaryIO) -> DetectedContent:
    """Detect the type of a seekable file from its first HEAD_BYTES (a JPEG: a few more). No content makes it raise."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    media_type = _media_type(head)
    measure = _MEASURES.get(media_type)
    size = None
    if measure is not None:
        with contextlib.suppress(struct.error, IndexError):
            size = measure(file, head)
    return DetectedContent(media_type, *(size or (None, None)))


def is_image(media_type: str) -> bool:
    """Return True for raster images; SVG counts as a document."""
    return media_type.startswith("image/") and media_type != "image/svg+xml"


def fits_photo(media_type: str, size: int, *, width: int | None, height: int | None) -> bool:
    """Return True if Telegram accepts it as a photo; other images go as documents. `size` in bytes."""
    if media_type not in PHOTOS or size > PHOTO_BYTES or not width or not height:
        return False
    return width + height <= PHOTO_WIDTH_AND_HEIGHT and max(width, height) <= PHOTO_RATIO * min(width, height)


def is_allowed(media_type: str, allowed: Sequence[str] | None) -> bool:
    """Match a type against patterns like `image/png` or `image/*`; None allows all types."""
    return allowed is None or any(fnmatchcase(media_type, pattern) for pattern in allowed)


def safe_name(name: str, media_type: str | None = None) -> str:
    """Return a file name of at most NAME_BYTES of UTF-8, without folders, control characters and leading dots.

    The extension stays; a name without one gets that of its media type. Idempotent.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    cleaned = "".join(_harmless(character) for character in last).strip(". ")
    path = PurePosixPath(cleaned or "file")
    extension = path.suffix or _extension(media_type)
    if not 1 < len(extension.encode()) <= EXTENSION_BYTES:
        return _cut(path.name, NAME_BYTES) or "file"
    return (_cut(path.stem, NAME_BYTES - len(extension.encode())) or "file") + extension


def _harmless(character: str) -> str:
    if character == '"':
        return "'"  # HTTP headers quote names, and programs disagree on escapes
    if character in "\u200c\u200d":
        return character  # they join letters and emoji
    # Control characters, lone surrogates, line ends, and direction marks, which can make an .exe look like a .txt.
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character


def _extension(media_type: str | None) -> str:
    known = media_type not in (None, UNKNOWN)
    return (_EXTENSIONS.guess_extension(media_type or "", strict=False) or "") if known else ""


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode("utf-8", "ignore").rstrip(". \u200d")


def _media_type(head: bytes) -> str:
    for offset, signature, media_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return media_type
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], UNKNOWN)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"\x42\x82\x84webm" in head else "video/x-matroska"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "image/bmp"
    return _text(head)


def _zip(head: bytes) -> str:
    """OpenDocument and EPUB declare their type in the first entry; entry names reveal Microsoft's formats."""
    if head[30:38] == b"mimetype":
        size, _, _, extra = struct.unpack_from("<IIHH", head, 18)
        declared = head[38 + extra : 38 + extra + size]
        return declared.decode() if _DECLARED.fullmatch(declared) else "application/zip"
    names = [head[entry.start() + 30 :] for entry in re.finditer(rb"PK\x03\x04", head)]
    for folder, media_type in _OFFICE.items():
        if any(name.startswith(folder) for name in names):
            return media_type
    return "application/zip"


def _text(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text/plain"  # UTF-16, common on Windows
    try:
        # Not final: the head may end in the middle of a character.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return UNKNOWN
    if not head or _CONTROL.search(head):
        return UNKNOWN
    return _markup(head.removeprefix(codecs.BOM_UTF8).lstrip().lower())


def _markup(text: bytes) -> str:
    if text.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if text.startswith((b"<?xml", b"<svg", b"<!doctype svg")):
        return "image/svg+xml" if b"<svg" in text else "application/xml"
    return "text/plain"


def _png(_file: BinaryIO, head: bytes) -> Size | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(_file: BinaryIO, head: bytes) -> Size:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _bmp(_file: BinaryIO, head: bytes) -> Size:
    if struct.unpack_from("<I", head, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", head, 18)
    else:
        width, height = struct.unpack_from("<ii", head, 18)
    return abs(width), abs(height)  # negative height: rows run from the top


def _webp(_file: BinaryIO, head: bytes) -> Size | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L" if head[20] == 0x2F:
            bits = struct.unpack_from("<I", head, 21)[0]
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(file: BinaryIO, _head: bytes) -> Size | None:
    """Skip segments such as thumbnails and profiles up to the frame header."""
    file.seek(2)
    for _ in range(MAX_SEGMENTS):
        marker, length = struct.unpack(">HH", file.read(4))
        if marker == 0xFFFF:  # a fill byte before the marker
            file.seek(-3, io.SEEK_CUR)
            continue
        if marker >> 8 != 0xFF or marker == 0xFFDA or length < 2:
            return None
        # SOF0 to SOF15, except three markers in that range which are tables.
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, io.SEEK_CUR)
    return None


_MEASURES: dict[str, Callable[[BinaryIO, bytes], Size | None]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/webp": _webp,
}
