"""The unix socket: mode and group, existing files at its path, and restarts."""

import asyncio
import contextlib
import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifybot.errors import StartRefused
from tests.support.door import Door, door

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another group")


async def refused(folder: Path, path: Path) -> str:
    """Start a daemon that must refuse to start; return its error."""
    with pytest.raises(StartRefused) as caught:
        async with door(folder, f"socket: {{path: {path}}}"):
            pass
    assert "socket.path" in (caught.value.hint or "")
    assert str(path) in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize(("config", "mode"), [("", 0o660), (', mode: "0600"', 0o600), (', mode: "0666"', 0o666)])
async def test_the_socket_has_its_mode_whatever_the_umask(folder: Path, config: str, mode: int) -> None:
    before = os.umask(0o077)
    try:
        async with door(folder, f"socket: {{path: {folder}/s{config}}}") as opened:
            assert stat.S_IMODE(opened.path.stat().st_mode) == mode
            assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


@needs_root
async def test_the_socket_belongs_to_its_group(folder: Path) -> None:
    async with door(folder, f"socket: {{path: {folder}/s, group: nogroup}}") as opened:
        assert opened.path.stat().st_gid == grp.getgrnam("nogroup").gr_gid


async def test_an_unknown_group_is_named(folder: Path) -> None:
    with pytest.raises(StartRefused, match="no group 'no-such-group'"):
        async with door(folder, f"socket: {{path: {folder}/s, group: no-such-group}}"):
            pass


async def test_missing_folders_are_made(folder: Path) -> None:
    async with door(folder, f"socket: {{path: {folder}/a/b/s}}") as opened:
        assert (await opened.raw(HEALTH)).status == 200


async def test_a_path_that_is_too_long_refuses_the_start(folder: Path) -> None:
    with pytest.raises(StartRefused, match="at most 107 bytes"):
        async with door(folder, f"socket: {{path: {folder}/{'x' * 120}}}"):
            pass


async def test_a_file_in_the_place_of_the_folder_refuses_the_start(folder: Path) -> None:
    (folder / "file").touch()
    await refused(folder, folder / "file/s")


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_a_path_that_is_not_a_socket_is_left_alone(folder: Path, kind: str) -> None:
    path = folder / "s"
    match kind:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(folder / "config.yaml")
    assert "a file that is not a socket" in await refused(folder, path)
    assert path.is_symlink() or path.exists()


async def test_a_socket_that_nobody_listens_on_is_replaced(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(folder / "s"))
    async with door(folder) as opened:
        assert (await opened.raw(HEALTH)).status == 200
    async with door(folder) as opened:
        assert (await opened.raw(HEALTH)).status == 200


async def test_a_link_to_nowhere_is_not_followed(folder: Path) -> None:
    (folder / "s").symlink_to(folder / "nowhere")
    await refused(folder, folder / "s")
    assert not (folder / "nowhere").exists()


async def test_the_socket_of_a_daemon_on_another_database_is_not_taken_over(folder: Path) -> None:
    (folder / "other").mkdir()
    async with door(folder) as opened:
        assert "another daemon listens" in await refused(folder / "other", opened.path)
        assert (await opened.raw(HEALTH)).status == 200


async def test_after_a_stop_callers_are_refused_at_once(folder: Path) -> None:
    async with door(folder) as opened:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_unix_connection(opened.path)


@pytest.fixture
def inherited(folder: Path) -> Iterator[socket.socket]:
    """Open a socket like systemd: before the daemon starts and until after it stops."""
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(folder / "s"))
        held.listen()
        yield held


async def test_an_inherited_socket_keeps_callers_through_a_restart(folder: Path, inherited: socket.socket) -> None:
    async with door(folder, inherited=[inherited.dup()]) as opened:
        assert (await opened.ingest(client_id="1")).status == 202
    async with contextlib.AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(opened.connection()) for _ in range(20)]
        for line in waiting:
            await line.say(HEALTH)
        async with door(folder, inherited=[inherited.dup()]):
            assert [(await line.answer()).status for line in waiting] == [200] * 20


async def test_constant_callers_do_not_notice_a_restart(folder: Path, inherited: socket.socket) -> None:
    """Each request gets a response, on a new connection, while the daemon stops and starts three times."""
    opened = Door(folder / "s", None)  # type: ignore[arg-type]
    statuses: list[int] = []
    is_over = asyncio.Event()

    async def call() -> None:
        while not is_over.is_set():
            statuses.append((await opened.ingest()).status)

    callers = [asyncio.create_task(call()) for _ in range(4)]
    for _ in range(3):
        async with door(folder, inherited=[inherited.dup()]) as running:
            before = len(statuses)
            while len(statuses) < before + 20:
                ended, _ = await asyncio.wait(callers, timeout=0.01)
                assert not ended, "a caller got no answer"
    is_over.set()
    async with door(folder, inherited=[inherited.dup()]) as running:
        await asyncio.gather(*callers)
        assert set(statuses) == {202}
        assert (await running.kept())["messages"] == len(statuses)


async def test_with_an_inherited_socket_none_is_made(folder: Path, inherited: socket.socket) -> None:
    config = f"socket: {{path: {folder}/unused}}"
    async with door(folder, config, inherited=[inherited.dup()]):
        assert not (folder / "unused").exists()
