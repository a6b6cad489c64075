"""`notifybot token …` against the real daemon."""

import json

import pytest

from tests.cli.real import RealDaemon
from tests.cli.running import run
from tests.cli.test_commands import assert_two_lines


@pytest.fixture(autouse=True)
def daemon(running: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFYBOT_SOCKET", str(running.socket))


def test_in_a_pipe_only_the_secret_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "token", "create", "backup", "--to", "-1001", "--to", "@ops_room", "--expires", "90d")

    assert (code, err) == (0, "")
    assert out.startswith("nb_") and len(out.split()) == 1
    made = listed(capsys)["backup"]
    assert (made["scopes"], made["to"]) == (["send"], ["-1001", "@ops_room"])
    assert made["expires_at"] is not None


def test_scopes_are_separated_by_commas(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "token", "create", "dashboard", "--scope", "send,read", "--account", "alice", "--json")

    made = listed(capsys)["dashboard"]
    assert (made["scopes"], made["account"], made["to"], made["expires_at"]) == (["send", "read"], "alice", None, None)


def test_the_list_shows_valid_and_revoked_tokens_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    secret = run(capsys, "token", "create", "old")[1].strip()
    assert run(capsys, "token", "revoke", "old")[:2] == (0, "revoked: old\n")
    run(capsys, "token", "create", "new")

    shown = run(capsys, "token", "list")[1]

    assert {line.split()[0]: line.split()[1] for line in shown.splitlines()}.items() >= {
        ("old", "revoked"),
        ("new", "valid"),
    }
    assert secret not in shown


@pytest.mark.parametrize(
    "words",
    [("create", "x", "--scope", "root"), ("create", "a b"), ("create", "x", "--expires", "soon"), ("revoke", "nobody")],
)
def test_invalid_tokens_are_refused_with_two_lines(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = run(capsys, "token", *words)

    assert (code, out) == (2, "")
    assert_two_lines(err)


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in json.loads(run(capsys, "token", "list", "--json")[1])["tokens"]}
