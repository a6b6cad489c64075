"""Variables from the file .env beside the config."""

from pathlib import Path

import pytest

from notifybot.config import load
from notifybot.config.env_file import with_env_file
from notifybot.config.problems import ConfigInvalid

TOKEN = "1234567890:" + "A" * 35


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=one", "one"),
        ("export X=one", "one"),
        ("  X = one two  ", "one two"),
        ("X=one # comment", "one"),
        ("X=one#two", "one#two"),
        ("X='one # two'", "one # two"),
        ('X="one \\"two\\"" # comment', 'one "two"'),
        ("X=", ""),
        ("X= # nothing", ""),
        ("X=a=b", "a=b"),
        ("# X=zero\n\nX=one\r\n", "one"),
        ("\ufeffX=one", "one"),
    ],
)
def test_a_line_sets_a_variable(tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env").write_text(line)
    assert with_env_file(tmp_path, {}) == {"X": value}


@pytest.mark.parametrize("line", ["X", "1X=secret", "X='secret", 'X="secret"more', "=secret", "X: secret"])
def test_another_line_stops_the_start_without_showing_its_value(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"A=1\n{line}\n")
    with pytest.raises(ConfigInvalid, match=r"\.env:2:1: this is not a variable") as refused:
        with_env_file(tmp_path, {})
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("exported", "found"),
    [({}, "file"), ({"X": "mine"}, "mine"), ({"X": ""}, ""), ({"X_FILE": "/x"}, None), ({"Y": "1"}, "file")],
)
def test_exported_variables_win(tmp_path: Path, exported: dict[str, str], found: str | None) -> None:
    (tmp_path / ".env").write_text("X=file\n")
    assert with_env_file(tmp_path, exported).get("X") == found


def test_a_folder_in_its_place_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigInvalid, match="the file cannot be read"):
        with_env_file(tmp_path, {})


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("sqlite:///./scheduled_messages.db", "sqlite:///{folder}/scheduled_messages.db"),
        ("sqlite:///x.db", "sqlite:///{folder}/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql://user:pw@localhost:5432/name", "postgresql://user:pw@localhost:5432/name"),
    ],
)
def test_the_usual_variables_configure_the_daemon(tmp_path: Path, url: str, means: str) -> None:
    lines = [f"TELEGRAM_BOT_TOKEN={TOKEN}", f"DATABASE_URL={url}", "BASE_URL=http://localhost:8000/"]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / "config.yaml").write_text("")
    config = load(tmp_path / "config.yaml", {})
    assert config.telegram.token == TOKEN
    assert config.database.url == means.format(folder=tmp_path)
    assert config.http.public_url == "http://localhost:8000"


def test_keys_of_the_config_win_over_these_variables(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("database: {url: 'sqlite:////a.db'}\nhttp: {public_url: 'https://a.example'}")
    config = load(tmp_path / "config.yaml", {"DATABASE_URL": "sqlite:////b.db", "BASE_URL": "https://b.example"})
    assert (config.database.url, config.http.public_url) == ("sqlite:////a.db", "https://a.example")


def test_an_unusable_base_url_is_reported(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ConfigInvalid, match=r"public_url: the value of \$\{BASE_URL\} is invalid: a URL looks like"):
        load(tmp_path / "config.yaml", {"BASE_URL": "localhost"})
