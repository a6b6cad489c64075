"""The commands that the demo prints."""

import struct
import zlib
from pathlib import Path

import pytest

from notifybot.demo.daemon import Folder
from notifybot.demo.picture import HEIGHT, WIDTH, disk_chart
from notifybot.demo.welcome import exports, tunnel_to

FOLDER = Folder(Path("/tmp/a demo"))


def test_the_socket_is_exported_quoted(tmp_path: Path) -> None:
    assert exports(FOLDER, tmp_path / "python") == [
        "export NOTIFYBOT_SOCKET='/tmp/a demo/notifybot.sock'",
        f"alias notifybot='{tmp_path}/python -m notifybot'",
    ]


def test_the_folder_of_the_command_is_added_to_the_path(tmp_path: Path) -> None:
    (tmp_path / "notifybot").touch()
    assert exports(FOLDER, tmp_path / "python")[1:] == [f'export PATH={tmp_path}:"$PATH"']


@pytest.mark.parametrize(
    ("connection", "host"), [("10.0.0.9 50022 10.0.0.1 22", "10.0.0.1"), ("fe80::9 5 fe80::1 22", "fe80::1")]
)
def test_the_tunnel_goes_to_the_address_of_the_ssh_connection(connection: str, host: str) -> None:
    assert tunnel_to(8642, {"SSH_CONNECTION": connection}).startswith("ssh -L 8642:127.0.0.1:8642 ")
    assert tunnel_to(8642, {"SSH_CONNECTION": connection}).endswith(f"@{host}")


def test_the_picture_is_a_png() -> None:
    png = disk_chart()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (WIDTH, HEIGHT)
    begin = png.index(b"IDAT") + 4
    assert len(zlib.decompress(png[begin:-16])) == HEIGHT * (3 * WIDTH + 1)
