"""The real daemon and a sandbox, each in its own process."""

import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

POLL_INTERVAL_S = 0.5
MAX_POLLS = 120
STOP_TIMEOUT_S = 60
NO_LIMITS = {"overall_per_second": 1000, "chat_per_second": 1000, "group_per_minute": 60000}
Json = dict[str, object]


@dataclass
class RealDaemon:
    """A daemon to start and stop; `ops` is a group in the sandbox."""

    folder: Path
    sandbox_url: str
    token: str
    ops: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def start(self) -> None:
        """Start the daemon and return once it is ready."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            address = self.folder / "notices"
            address.unlink(missing_ok=True)
            notices.bind(str(address))
            self.launch(NOTIFY_SOCKET=str(address))
            notices.settimeout(POLL_INTERVAL_S)
            for _ in range(MAX_POLLS):
                with suppress(TimeoutError):
                    if b"READY=1" in notices.recv(1024):
                        return
                if self.process is None or self.process.poll() is not None:
                    break
        raise AssertionError("the daemon did not start:\n" + (self.folder / "log").read_text())

    def launch(self, **environ: str) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "notifybot", "run", "--config", str(self.config)]
            self.process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=log)

    def stop(self) -> int:
        assert self.process is not None
        return end(self.process)

    def sandbox(self, method: str, path: str, fields: Json | None = None) -> Json:
        return ask_sandbox(self.sandbox_url, method, path, fields)

    def shown_in_ops(self) -> list[str]:
        """Return the texts in the group now."""
        return [str(post.get("text", post.get("caption", ""))) for post in self.posts_in_ops()]

    def posts_in_ops(self) -> list[Json]:
        """Return the messages in the group, as Telegram has them."""
        chats = self.sandbox("GET", "/sandbox/state")["messages"]
        assert isinstance(chats, dict)
        posts = chats.get(self.ops, [])
        assert isinstance(posts, list)
        return posts

    def content_of(self, post: Json) -> bytes:
        """Return the bytes of a post's picture or file, as served by Telegram."""
        media = post.get("photo", post.get("document"))
        largest = media[-1] if isinstance(media, list) else media
        assert isinstance(largest, dict)
        found = self.sandbox("GET", f"/bot{self.token}/getFile?file_id={largest['file_id']}")["result"]
        assert isinstance(found, dict)
        place = f"{self.sandbox_url.rstrip('/')}/file/bot{self.token}/{quote(found['file_path'])}"
        with urllib.request.urlopen(place, timeout=30) as response:
            content = response.read()
        assert isinstance(content, bytes)
        return content

    def awaited(self, event: str, message_id: object) -> Json:
        """Wait for the first event of this kind about this message."""
        return self._first(event, lambda found: found.get("message_id") == message_id)

    def awaited_text(self, text: str) -> Json:
        """Wait for the first post with this text."""
        return self._first("message", lambda found: text in str(found.get("text", "")))

    def _first(self, event: str, matches: Callable[[Json], bool]) -> Json:
        url = f"{self.sandbox_url.rstrip('/')}/sandbox/events"
        kind = ""
        with urllib.request.urlopen(url, timeout=30) as lines:
            for line in lines:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                kind = value if name == "event" else kind
                if name == "data" and kind == event and matches(found := json.loads(value)):
                    return dict(found)
        raise AssertionError("the sandbox has closed")


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> int:
    """Stop the daemon, kill it after a timeout, and return its exit code."""
    process.terminate()
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def ask_sandbox(url: str, method: str, path: str, fields: Json | None = None) -> Json:
    body = None if fields is None else json.dumps(fields).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url.rstrip("/") + path, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.loads(response.read() or b"{}")
    assert isinstance(answer, dict)
    return answer


@contextmanager
def real_daemon(folder: Path) -> Iterator[RealDaemon]:
    """Run a sandbox, and prepare a daemon that is not started yet; clean up after the block."""
    # A unique token: only one daemon per machine can use a bot's token.
    token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_hex(18)[:35]}"
    command = [sys.executable, "-m", "notifybot.sandbox", "--limits", "off", "--token", token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            yield from _on_sandbox(folder, sandbox.stdout.readline().strip(), token)
        finally:
            end(sandbox)


def _on_sandbox(folder: Path, url: str, token: str) -> Iterator[RealDaemon]:
    group: Json = {"type": "supergroup", "title": "Ops", "member_ids": []}
    ops = str(ask_sandbox(url, "POST", "/sandbox/chats", group)["id"])
    daemon = RealDaemon(folder, url, token, ops)
    daemon.config.write_text(
        f"telegram: {{token: '{token}', base_url: '{url.rstrip('/')}', limits: {json.dumps(NO_LIMITS)}}}\n"
        f"data_dir: {folder}/data\nsocket: {{path: {daemon.socket}}}\n"
    )
    try:
        yield daemon
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.stop()
