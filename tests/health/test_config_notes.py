"""Warnings about settings, which `/health` and `notifybot config check` show alike."""

from pathlib import Path

import pytest

from notifybot.cli import main
from notifybot.config import load
from notifybot.health.config_notes import configuration_notes

QUIET = "alerts: {escalation_channel: '-1001'}\ntelegram: {token: '123456789:AAHsecretsecretsecretsecretsecret12'}\n"
POLLING = "this version fetches updates by polling."


def config_file(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("", []),
        ("inbound: {}\n", []),
        ("inbound: {p: {format: alertmanager, to: [subscribers]}}\n", []),
        (
            "scripts: {list_command: [ls, '{account}']}\n",
            ["scripts has no effect: this version has no /scripts command in Telegram."],
        ),
        ("scripts: {timeout: 5m}\n", ["scripts has no effect: this version has no /scripts command in Telegram."]),
        ("scripts: {timeout: 60s}\n", []),
        (
            "delivery: {storm_after: 30s}\n",
            ["delivery.storm_after has no effect: this version does not merge waiting messages."],
        ),
        ("delivery: {max_parts: 3}\n", []),
    ],
)
def test_a_setting_that_nothing_serves_yet_is_a_warning(tmp_path: Path, text: str, notes: list[str]) -> None:
    file = config_file(tmp_path, QUIET + text)
    assert list(configuration_notes(load(file, {}))) == notes


@pytest.mark.parametrize(
    ("telegram", "note"),
    [
        ("mode: webhook, webhook: {url: 'https://hooks.example.org'}", f"telegram.mode is webhook, but {POLLING}"),
        ("webhook: {url: 'https://hooks.example.org'}", f"telegram.webhook has no effect: {POLLING}"),
        ("mode: polling", None),
        ("webhook: {secret_token: abcdef}", None),
    ],
)
def test_a_webhook_that_nothing_serves_yet_is_a_warning(tmp_path: Path, telegram: str, note: str | None) -> None:
    environ = {"TELEGRAM_BOT_TOKEN": "123456789:AAHsecretsecretsecretsecretsecret12"}
    file = config_file(tmp_path, f"alerts: {{escalation_channel: '-1001'}}\ntelegram: {{{telegram}}}\n")
    assert configuration_notes(load(file, environ)) == (() if note is None else (note,))


def test_config_check_prints_the_warnings_of_health(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = config_file(tmp_path, QUIET + "scripts: {timeout: 5m}\n")
    assert main(["config", "check", "--config", str(file)]) == 0
    assert capfd.readouterr().err.splitlines() == [
        "warning: scripts has no effect: this version has no /scripts command in Telegram."
    ]
