"""An existing dashboard with its own JWTs links, notifies and unlinks its user, over HTTP alone."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.real import Json, RealDaemon, real_daemon
from tests.support.keys import SECRET, signed

ANNA = 4242


@pytest.fixture(scope="module")
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
        return found


@pytest.fixture(scope="module")
def daemon(port: int) -> Iterator[RealDaemon]:
    with TemporaryDirectory() as folder, real_daemon(Path(folder)) as running:
        with running.config.open("a") as config:
            jwt = f"{{secret: '{SECRET}', account_claim: email}}"
            config.write(f"http: {{listen: '127.0.0.1:{port}', jwt: {jwt}}}\naccounts: {{anna@example.org: anna}}\n")
        running.start()
        running.sandbox("POST", "/sandbox/users", {"id": ANNA, "first_name": "Anna"})
        running.sandbox("POST", "/sandbox/say", {"user_id": ANNA, "text": "/start"})
        told(running, "code")  # from now on, the bot knows its own name
        yield running


class Dashboard:
    """The dashboard's backend, which forwards its user's JWT."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._jwt = signed(sub="u-17", email="anna@example.org")

    def ask(self, method: str, path: str, fields: Json | None = None) -> tuple[int, Json]:
        body = None if fields is None else json.dumps(fields).encode()
        headers = {"Authorization": f"Bearer {self._jwt}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())


def told(daemon: RealDaemon, word: str) -> None:
    """Wait until the bot sends Anna a message with this word."""
    with urllib.request.urlopen(f"{daemon.sandbox_url.rstrip('/')}/sandbox/events", timeout=30) as lines:
        for line in lines:
            name, _, value = line.decode().partition(": ")
            if name != "data" or "text" not in value:
                continue
            message = json.loads(value)
            if message.get("chat", {}).get("id") == ANNA and message["from"]["id"] != ANNA and word in message["text"]:
                return
    raise AssertionError("the sandbox has closed")


def shown_to_anna(daemon: RealDaemon) -> list[str]:
    chats = daemon.sandbox("GET", "/sandbox/state")["messages"]
    assert isinstance(chats, dict)
    return [str(message["text"]) for message in chats.get(str(ANNA), []) if message["from"]["id"] != ANNA]


def test_a_dashboard_links_notifies_and_unlinks_its_user(daemon: RealDaemon, port: int) -> None:
    dashboard = Dashboard(port)
    assert dashboard.ask("GET", "/api/telegram/status")[1]["linked"] is False
    assert dashboard.ask("POST", "/send", {"user": "anna", "text": "too early"})[0] == 409
    assert dashboard.ask("POST", "/api/telegram/send-test-message", {})[0] == 400

    status, link = dashboard.ask("GET", "/api/telegram/link-account")
    assert status == 200 and str(link["url"]).endswith(f"?start={link['token']}")
    assert dashboard.ask("POST", "/api/telegram/verify-link", {"token": link["token"]})[1]["linked"] is False
    daemon.sandbox("POST", "/sandbox/say", {"user_id": ANNA, "text": f"/start {link['token']}"})
    told(daemon, "anna")
    linked = dashboard.ask("POST", "/api/telegram/verify-link", {"token": link["token"]})[1]
    assert linked["linked"] is True

    assert dashboard.ask("POST", "/api/telegram/send-test-message", {}) == (200, {"sent": True})
    changed = dashboard.ask("PATCH", "/api/telegram/preferences", {"time_zone": "Europe/Berlin"})[1]
    assert changed["time_zone"] == "Europe/Berlin"
    sent = dashboard.ask("POST", "/api/ingest?wait=20", {"user": "anna", "content": "deployed", "acknowledge": False})
    assert (sent[0], sent[1]["status"]) == (200, "sent")
    assert "deployed" in " ".join(shown_to_anna(daemon))

    assert dashboard.ask("POST", "/api/telegram/unlink-account", {})[0] == 200
    assert dashboard.ask("GET", "/api/telegram/status")[1]["linked"] is False


def test_a_user_of_the_dashboard_does_nothing_for_another(daemon: RealDaemon, port: int) -> None:
    dashboard = Dashboard(port)
    asked: list[tuple[str, str, Json | None]] = [
        ("GET", "/api/telegram/link-account?user=bob", None),
        ("GET", "/api/telegram/status?user=bob", None),
        ("POST", "/api/telegram/verify", {"user": "bob", "code": "123456"}),
        ("POST", "/api/telegram/unlink-account", {"user": "bob"}),
        ("PATCH", "/api/telegram/preferences", {"user": "bob", "enabled": False}),
        ("GET", "/api/admin/tokens", None),
    ]
    for method, path, fields in asked:
        assert dashboard.ask(method, path, fields)[0] == 403, path
