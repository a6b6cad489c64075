"""Accounts, people and imports on the command line, with the real daemon and the sandbox."""

import json
import os
import pty
import re
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from notifybot.cli import main
from tests.cli.real import Json, RealDaemon
from tests.cli.test_process import modules_of, needed_by

URL = re.compile(rb"https://t\.me/\w+\?start=([A-Za-z0-9_-]+)")
CODE = re.compile(r"code: (\d{6})")
HEARS_WITHIN_S = 30.0


@pytest.fixture
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> RealDaemon:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))
    return running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Somebody:
    """A person in the sandbox."""

    daemon: RealDaemon
    id: int

    def says(self, text: str) -> None:
        self.daemon.sandbox("POST", "/sandbox/say", {"user_id": self.id, "text": text})

    def hears(self, fragment: str) -> str:
        """Wait for a message of the bot to them with this text, and return it."""
        url = f"{self.daemon.sandbox_url.rstrip('/')}/sandbox/events?since=0"
        give_up_at = time.monotonic() + HEARS_WITHIN_S
        with urllib.request.urlopen(url, timeout=HEARS_WITHIN_S) as lines:
            for line in lines:
                assert time.monotonic() < give_up_at, f"the bot did not say: {fragment}"
                name, _, value = line.decode().partition(": ")
                found = json.loads(value) if name == "data" else None
                if isinstance(found, dict) and fragment in found.get("text", "") and self._is_there(found):
                    return str(found["text"])
        raise AssertionError("the sandbox has closed")

    def _is_there(self, event: Json) -> bool:
        chat = event.get("chat")
        return isinstance(chat, dict) and chat.get("id") == self.id


@pytest.fixture
def anna(daemon: RealDaemon) -> Somebody:
    user: Json = {"first_name": "Anna", "username": f"anna_{secrets.token_hex(4)}"}
    found = daemon.sandbox("POST", "/sandbox/users", user)["id"]
    assert isinstance(found, int)
    return Somebody(daemon, found)


def account() -> str:
    return f"user-{secrets.token_hex(4)}"


def linked(run: Run, anna: Somebody) -> str:
    """Link a new account by code, and return it."""
    name = account()
    anna.says("/start")
    code = CODE.search(anna.hears("code: "))
    assert code is not None
    assert run("verify", code[1][:3], code[1][3:], "--user", name)[0] == 0
    return name


def test_an_account_is_linked_by_code_shown_tested_and_unlinked(run: Run, anna: Somebody) -> None:
    name = account()
    assert run("status", "--user", name)[1].startswith("not linked; `notifybot link`")
    anna.says("/start")
    code = CODE.search(anna.hears("code: "))
    assert code is not None

    assert run("verify", code[1], "--user", name) == (0, "linked: the bot confirmed it in the chat\n", "")

    anna.hears(f"This chat is now linked to the account {name}")
    status = run("status", "--user", name)[1].splitlines()
    assert [line.split()[0] for line in status] == ["linked", "notices", "summary", "reachable"]
    assert "to the chat of anna_" in status[0]
    assert run("test", "--user", name) == (0, "sent: the test message is in the chat\n", "")
    anna.hears(f"This is a test: messages to {name} arrive here.")
    assert run("unlink", "--user", name) == (0, "unlinked: the chat stays subscribed\n", "")
    assert run("unlink", "--user", name)[0] == 0
    code_of_test, _, error = run("test", "--user", name)
    assert (code_of_test, error.splitlines()[0]) == (2, f"error: The account {name} is not linked to a chat.")


def test_a_wrong_code_is_refused_with_a_hint(run: Run, daemon: RealDaemon) -> None:
    code, out, error = run("verify", "wrong", "--user", account())

    assert (code, out) == (2, "")
    assert error == (
        "error: This code is wrong, used or expired.\n"
        "hint: Send /start to the bot for a new one; it is valid for 10 minutes, once.\n"
    )


def test_in_a_pipe_only_the_link_is_printed(run: Run, anna: Somebody) -> None:
    name = account()

    code, out, _ = run("link", "--user", name)

    found = URL.fullmatch(out.strip().encode())
    assert code == 0 and found is not None
    anna.says(f"/start {found[1].decode()}")
    anna.hears(f"This chat is now linked to the account {name}")


def test_on_a_terminal_link_shows_a_qr_code_and_waits(daemon: RealDaemon, anna: Somebody) -> None:
    name = account()
    controller, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "notifybot", "link", "--user", name]
    shown = b""
    with subprocess.Popen(command, stdout=terminal, env=environ) as process, os.fdopen(controller, "rb", 0) as screen:
        os.close(terminal)
        while b"Ctrl-C" not in shown:
            shown += screen.read(65_536)
        found = URL.search(shown)
        assert found is not None
        anna.says(f"/start {found[1].decode()}")
        while b"linked:" not in shown:
            shown += screen.read(65_536)
        assert process.wait(30) == 0

    qr = [line for line in shown.decode().splitlines() if "\x1b[30;107m" in line]
    assert len(qr) > 15
    assert "It works once" in shown.decode()
    assert "linked: to the chat of anna_" in shown.decode()


def test_every_command_prints_json(run: Run, anna: Somebody) -> None:
    name = linked(run, anna)

    status = json.loads(run("status", "--user", name, "--json")[1])
    link = json.loads(run("link", "--user", name, "--json")[1])
    test = json.loads(run("test", "--user", name, "--json")[1])
    unlinked = json.loads(run("unlink", "--user", name, "--json")[1])

    assert (status["linked"], test, unlinked) == (True, {"sent": True}, {"linked": False})
    assert link["url"].endswith(f"?start={link['token']}")


def test_people_are_listed_shown_renamed_and_removed(run: Run, anna: Somebody) -> None:
    name = linked(run, anna)

    listed = run("people")[1]
    assert listed.splitlines()[0].split() == ["USER", "ID", "ACCOUNT", "CHAT", "SINCE", "NOTICES", "NAME"]
    assert name in listed
    assert json.loads(run("people", "--json")[1])["people"]
    shown = run("people", "show", name)[1]
    assert f"  chat         {anna.id}" in shown.splitlines()
    assert f"  account      {name}" in shown.splitlines()
    user_id = shown.split()[0]

    assert run("people", "rename", name, "Anna, nights") == (0, f"renamed: {user_id} (Anna, nights)\n", "")
    assert run("people", "remove", user_id) == (0, f"removed: {user_id} (Anna, nights)\n", "")
    anna.hears("You are no longer subscribed")
    code, _, error = run("people", "show", name)
    assert (code, error.splitlines()[1]) == (2, "hint: `notifybot people list` lists everyone.")


def test_an_import_with_and_without_a_dry_run(run: Run, daemon: RealDaemon, tmp_path: Path) -> None:
    name, chat_id = account(), secrets.randbelow(10**9) + 10**9
    source = tmp_path / "linked.json"
    source.write_text(json.dumps({name: {"chat_id": chat_id, "linked_at": "2024-05-06T07:08:09Z"}}))

    rehearsed = run("import", str(source), "--dry-run")
    assert rehearsed[0] == 0
    assert rehearsed[1].splitlines()[1].split() == ["added", name]
    assert rehearsed[1].splitlines()[-1] == ("dry run, nothing was changed: 1 added, 0 linked, 0 unchanged, 0 refused")
    assert run("people", "show", name)[0] == 2

    assert run("import", str(source)) == (0, "1 added, 0 linked, 0 unchanged, 0 refused\n", "")
    assert run("import", str(source)) == (0, "0 added, 0 linked, 1 unchanged, 0 refused\n", "")
    assert f"  chat         {chat_id}" in run("people", "show", name)[1].splitlines()


def test_a_record_that_cannot_be_imported_is_named_and_the_rest_is_imported(
    run: Run, daemon: RealDaemon, tmp_path: Path
) -> None:
    taken, new, chat_id = account(), account(), secrets.randbelow(10**9) + 10**9
    source = tmp_path / "linked.json"
    source.write_text(json.dumps({taken: chat_id}))
    assert run("import", str(source))[0] == 0
    source.write_text(json.dumps({taken: chat_id + 1, new: chat_id + 2}))

    code, out, error = run("import", str(source))

    assert code == 2
    assert f"{taken} is linked to another chat, {chat_id}" in out
    assert out.splitlines()[-1] == "1 added, 0 linked, 0 unchanged, 1 refused"
    assert error.startswith("error: 1 of 2 cannot be imported.\n")
    assert run("people", "show", new)[0] == 0


def test_an_unreadable_source_imports_nothing(run: Run, daemon: RealDaemon, tmp_path: Path) -> None:
    name = account()
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({name: 7}))
    bad.write_text("nonsense")

    assert run("import", str(good), str(bad))[0] == 2
    assert run("people", "show", name)[0] == 2


@pytest.mark.parametrize("words", ["status", "link", "unlink", "people", "import"])
def test_the_commands_load_only_the_standard_library_and_of_it_what_they_need(
    daemon: RealDaemon, tmp_path: Path, words: str
) -> None:
    source = tmp_path / "nobody.json"
    source.write_text("{}")
    argv = [words, str(source)] if words == "import" else [words]

    foreign, slow = modules_of(argv)
    assert (foreign, slow - needed_by(argv)) == ("notifybot", set())
