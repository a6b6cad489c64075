"""--socket, --url and --token-file: which daemon a command speaks to."""

from pathlib import Path

import pytest

from notifybot.cli import main

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _alone(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFYBOT_URL", "NOTIFYBOT_TOKEN", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--url", NOBODY, "health"], 1, f"Cannot connect to {NOBODY}: Connection refused."),
        (["health", "--url", NOBODY], 1, f"Cannot connect to {NOBODY}: Connection refused."),
        (["health", f"--url={NOBODY}"], 1, f"Cannot connect to {NOBODY}: Connection refused."),
        (["health", "--url", "db1"], 2, "The daemon's URL is not of the form http(s)://HOST[:PORT][/PATH]."),
        (["health", "--url", NOBODY, "--socket", "/x"], 2, "--socket goes without --url and --token-file."),
        (["health", "--url", NOBODY, "--token-file", "/nowhere/x"], 2, "token file /nowhere/x: No such file"),
        (["health", "--url", NOBODY, "--token-file", "EMPTY"], 2, "is empty."),
        (["health", "--url", NOBODY, "--token-file", "BINARY"], 2, "it is not text."),
        (["health", "--url", NOBODY, "--token-file", "WORDS"], 2, "The token is not one word."),
        (["health", "--url", NOBODY, "--token-file", "GOOD"], 1, "Connection refused."),
    ],
)
def test_the_options_name_the_daemon(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {"EMPTY": b"\n", "BINARY": b"\xff\xfe", "WORDS": b"two words\n", "GOOD": b"nb_x\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    assert main([str(tmp_path / word) if word in contents else word for word in words]) == code
    assert said in capsys.readouterr().err
