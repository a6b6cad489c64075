"""The spool: each message is kept whole or not at all, in order, and handed over once."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from notifybot.client import Client, ClientError, NoAnswer, NotPermitted, NotReady, Refused, Spooled, Unreachable
from notifybot.client.posting import Outgoing
from notifybot.client.spool import Spool
from notifybot.client.transport import default_spool_folder
from notifybot.client.unix_http import HttpRequest, json_body
from tests.cli.standin import StandIn

DAEMON = "/run/other/s"
AT = 1_700_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "state" / "spool")


def outgoing(text: str, *, may_be_missing: bool = False) -> Outgoing:
    return Outgoing(body=json_body({"content": text}), client_id=text, about=text, may_be_missing=may_be_missing)


def keep(spool: Spool, *texts: str, daemon: str = DAEMON) -> None:
    for text in texts:
        spool.add(outgoing(text), daemon=daemon, at=AT)


def waiting(spool: Spool) -> list[str]:
    return [each.about for each in spool.messages() if each.status == "waiting"]


def refused(code: int) -> Refused:
    error = Refused("no")
    error.code = code
    return error


def not_ready(code: int) -> NotReady:
    error = NotReady("not now")
    error.code = code
    return error


@dataclass
class Daemon:
    """Accepts texts, except for the one in `trouble`."""

    trouble: dict[str, ClientError] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def post(self, request: HttpRequest) -> None:
        assert request.body is not None
        text = json.loads(b"".join(request.body.chunks()))["content"]
        if text in self.trouble:
            raise self.trouble[text]
        self.accepted.append(text)


ANSWERS = {
    "accepted": (None, ["a", "b", "c"], []),
    "invalid": (refused(400), ["a", "c"], []),
    "forbidden": (refused(403), ["a", "c"], []),
    "too large": (refused(413), ["a", "c"], []),
    "nothing to resolve": (refused(404), ["a", "c"], []),
    "a fault in the daemon": (not_ready(500), ["a", "c"], []),
    "too fast": (not_ready(429), ["a"], ["b", "c"]),
    "busy": (not_ready(503), ["a"], ["b", "c"]),
    "away": (Unreachable("away"), ["a"], ["b", "c"]),
    "cut off": (NoAnswer("cut off"), ["a"], ["b", "c"]),
    "not in the group": (NotPermitted("no"), ["a"], ["b", "c"]),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_refused_message_delays_no_other_and_any_other_failure_keeps_the_order(spool: Spool, answer: str) -> None:
    error, accepted, left = ANSWERS[answer]
    keep(spool, "a", "b", "c")
    daemon = Daemon({} if error is None else {"b": error})

    done = spool.hand_over(daemon.post, daemon=DAEMON)

    assert (daemon.accepted, waiting(spool)) == (accepted, left)
    assert (done.accepted, done.stopped_by) == (len(accepted), error if left else None)
    assert [number for number, _ in done.refused] == ([2] if error and not left else [])


def test_a_refused_message_is_kept_and_sent_on_request(spool: Spool) -> None:
    keep(spool, "a")
    spool.hand_over(Daemon({"a": refused(403)}).post, daemon=DAEMON)
    daemon = Daemon()

    assert spool.hand_over(daemon.post, daemon=DAEMON).accepted == 0
    assert spool.hand_over(daemon.post, daemon=DAEMON, retry_refused=True).accepted == 1
    assert spool.messages() == ()


def test_a_resolve_of_what_is_no_longer_open_is_done(spool: Spool) -> None:
    spool.add(outgoing("a", may_be_missing=True), daemon=DAEMON, at=AT)

    spool.hand_over(Daemon({"a": refused(404)}).post, daemon=DAEMON)

    assert spool.messages() == ()


def test_a_message_goes_only_to_the_daemon_it_was_for(spool: Spool) -> None:
    keep(spool, "here")
    keep(spool, "demo", daemon="/tmp/demo/s")
    daemon = Daemon()

    spool.hand_over(daemon.post, daemon=DAEMON)

    assert (daemon.accepted, waiting(spool)) == (["here"], ["demo"])


def test_only_the_user_can_read_it(spool: Spool) -> None:
    keep(spool, "secret")

    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("limits", [{"max_messages": 2}, {"max_bytes": 700}])
def test_a_full_spool_keeps_what_it_has_and_says_so(spool: Spool, limits: dict[str, int]) -> None:
    small = Spool(spool.folder, **limits)
    keep(small, "a", "b")

    with pytest.raises(ClientError, match="is full"):
        keep(small, "c" * 300)

    assert waiting(small) == ["a", "b"]


def test_a_full_disk_leaves_no_part_of_a_message(spool: Spool) -> None:
    keep(spool, "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ClientError, match="cannot be kept"):
            keep(spool, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    keep(spool, "b")
    assert waiting(spool) == ["a", "b"]


def test_a_message_whose_writer_was_killed_half_way_is_not_there(spool: Spool) -> None:
    program = f"""
import os, pathlib
from notifybot.client.posting import Outgoing
from notifybot.client.spool import Spool
from notifybot.client.unix_http import RequestBody
def chunks():
    yield b"x" * 100_000
    os.kill(os.getpid(), 9)
body = RequestBody("text/plain", 200_000, chunks)
Spool(pathlib.Path({str(spool.folder)!r})).add(Outgoing(body=body, client_id="k", about="k"), daemon="", at=1.0)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL

    assert spool.messages() == ()
    keep(spool, "a")
    assert waiting(spool) == ["a"]
    assert len(list(spool.folder.glob("unfinished*"))) == 0


def test_clients_that_keep_and_hand_over_at_once_lose_and_repeat_nothing(spool: Spool) -> None:
    daemon = Daemon()
    texts = [f"{number}" for number in range(60)]

    def client(text: str) -> None:
        keep(spool, text)
        spool.hand_over(daemon.post, daemon=DAEMON)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(client, texts))
    spool.hand_over(daemon.post, daemon=DAEMON)

    assert sorted(daemon.accepted) == sorted(texts)
    assert spool.messages() == ()


def test_a_number_is_never_used_again(spool: Spool) -> None:
    keep(spool, "a")
    spool.drop([1])
    keep(spool, "b")

    assert [each.number for each in spool.messages()] == [2]
    with pytest.raises(Refused, match="No message 1"):
        spool.drop([1])


def test_a_message_dropped_while_it_is_handed_over_takes_no_other_with_it(spool: Spool) -> None:
    keep(spool, "a")

    def post(request: HttpRequest) -> None:
        spool.drop([1])
        keep(spool, "b")

    spool.hand_over(post, daemon=DAEMON)

    assert waiting(spool) == ["b"]


def whole(path: Path) -> bytes:
    return path.read_bytes()


def head(**changes: object) -> Callable[[Path], bytes]:
    def changed(path: Path) -> bytes:
        line, body = path.read_bytes().split(b"\n", 1)
        return json.dumps({**json.loads(line), **changes}).encode() + b"\n" + body

    return changed


DAMAGED: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda path: b"",
    "cut": lambda path: whole(path)[:-1],
    "longer": lambda path: whole(path) + b"x",
    "not JSON": lambda path: b"{\n" + whole(path),
    "a list": lambda path: b"[]\n",
    "deep": lambda path: b"[" * 60_000,
    "an unknown field": head(other=1),
    "a path with a line break": head(path="/a\r\nX: y"),
    "a type with a line break": head(media_type="a\r\nX: y"),
    "a number for the path": head(path=1),
    "a text for the length": head(length="1"),
    "no time": head(at=None),
    "a time far off": head(at=1e300),
    "zeros": lambda path: bytes(300),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_delays_no_other(spool: Spool, damage: str) -> None:
    keep(spool, "a", "b")
    path = spool.folder / "000000000001.waiting"
    path.write_bytes(DAMAGED[damage](path))
    daemon = Daemon()

    done = spool.hand_over(daemon.post, daemon=DAEMON)

    assert (daemon.accepted, done.refused) == (["b"], ((1, "its file is damaged"),))
    assert [each.status for each in spool.messages()] == ["refused"]


def test_a_link_in_the_spool_is_not_followed(spool: Spool, tmp_path: Path) -> None:
    keep(spool, "a")
    kept = spool.folder / "000000000001.waiting"
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    (spool.folder / "notes.txt").write_text("not ours")
    daemon = Daemon()

    spool.hand_over(daemon.post, daemon=DAEMON)

    assert daemon.accepted == []


def test_a_spool_that_cannot_be_locked_says_so(spool: Spool) -> None:
    keep(spool, "a")
    (spool.folder / "hand-over.lock").mkdir()

    with pytest.raises(Refused, match="cannot be used"):
        spool.hand_over(Daemon().post, daemon=DAEMON)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_root_does_not_send_the_spool_of_another_user(spool: Spool) -> None:
    keep(spool, "a")
    os.chown(spool.folder, 65_534, 65_534)
    daemon = Daemon()

    with pytest.raises(Refused, match="belongs to another user"):
        spool.hand_over(daemon.post, daemon=DAEMON)
    with pytest.raises(Refused, match="belongs to another user"):
        keep(spool, "b")

    assert daemon.accepted == []


FOLDERS = [
    ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/notifybot/spool"),
    ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/notifybot/spool"),
    ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/notifybot/spool"),
    ({"HOME": "/h"}, "/h/.local/state/notifybot/spool"),
]


@pytest.mark.parametrize(("environ", "folder"), FOLDERS)
def test_the_folder_is_the_callers(environ: dict[str, str], folder: str) -> None:
    assert default_spool_folder(environ) == folder


def test_a_service_without_a_home_has_a_folder() -> None:
    assert default_spool_folder({}).startswith("/")


def test_a_client_keeps_a_message_with_its_file_and_sends_it_before_the_next(
    daemon: StandIn, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.log").write_bytes(b"line\n")
    daemon.path.rename(tmp_path / "away")
    client = Client(spool=spool)
    with pytest.raises(Spooled):
        client.send("first", to="-100123", files=[tmp_path / "a.log"])
    with pytest.raises(Spooled):
        client.resolve("disk", to="-100123")
    (tmp_path / "a.log").unlink()
    (tmp_path / "away").rename(daemon.path)

    client.send("third", to="-100123")

    sent = [body.get("content") or body.get("caption") or body["action"] for body in daemon.bodies()]
    assert sent == ["first", "resolve", "third"]
    assert [upload.content for upload in daemon.uploaded] == [b"line\n"]


def test_a_message_that_the_daemon_refuses_is_not_kept(spool: Spool, daemon: StandIn) -> None:
    from tests.cli.standin import problem

    daemon.refuse = lambda: problem(400, "no such chat")

    with pytest.raises(Refused, match="no such chat"):
        Client(spool=spool).send("a", to="nobody")

    assert spool.messages() == ()
