"""The shipped systemd units: valid, consistent, and as locked down as documented."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICE = (UNITS / "notifybot.service").read_text(encoding="utf-8")
SOCKET = (UNITS / "notifybot.socket").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


def setting(unit: str, key: str) -> str:
    """Return the last value of `key` in `unit`."""
    return str(re.findall(rf"(?m)^{key}=(.*)$", unit)[-1])


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Return the units as installed: their program and documentation exist."""
    for name, text in (("notifybot.service", SERVICE), ("notifybot.socket", SOCKET)):
        runnable = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text)
        (tmp_path / name).write_text(runnable.replace("/opt/notifybot", str(ROOT)), encoding="utf-8")
    return sorted(tmp_path.iterdir())


@needs_systemd
def test_systemd_accepts_the_units_without_a_warning(copies: list[Path]) -> None:
    verified = analyze("verify", "--man=no", *copies)

    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@needs_systemd
def test_the_service_is_as_tight_as_the_install_page_says(copies: list[Path]) -> None:
    promised = re.search(r"exposure of ([\d.]+) of 10", INSTALL)
    assert promised is not None

    secured = analyze("security", "--offline=true", copies[0])
    found = re.search(r"exposure level for notifybot.service: ([\d.]+)", secured.stdout)

    assert found is not None, secured.stderr
    assert float(found[1]) <= float(promised[1]), secured.stdout


def test_the_socket_is_open_to_the_group_alone() -> None:
    assert setting(SOCKET, "SocketMode") == "0660"
    assert setting(SOCKET, "SocketGroup") == setting(SERVICE, "Group") == "notifybot"


def test_the_socket_lies_in_the_services_runtime_directory_and_outlives_it() -> None:
    assert setting(SOCKET, "ListenStream") == f"/run/{setting(SERVICE, 'RuntimeDirectory')}/notifybot.sock"
    assert setting(SERVICE, "RuntimeDirectoryPreserve") == "yes"


def test_the_daemon_reports_to_systemd_and_is_always_started_again() -> None:
    kept = {key: setting(SERVICE, key) for key in ("Type", "Restart", "WatchdogSec", "StartLimitIntervalSec")}

    assert kept == {"Type": "notify", "Restart": "always", "WatchdogSec": "60s", "StartLimitIntervalSec": "0"}


def test_callers_keep_their_user_ids() -> None:
    # In its own user namespace, the daemon would see every peer as nobody.
    assert setting(SERVICE, "PrivateUsers") == "no"


def test_the_credentials_are_those_that_the_config_reads() -> None:
    loaded = re.findall(r"(?m)^LoadCredential=(\w+):notifybot\.(\w+)$", SERVICE)
    config = (ROOT / "notifybot" / "config" / "model.py").read_text(encoding="utf-8")

    assert [name for name, _ in loaded] == ["telegram_token", "telegram_webhook_secret"]
    assert all(name == stored and f'credential="{name}"' in config for name, stored in loaded)


def test_the_install_page_puts_things_where_the_units_expect_them() -> None:
    program, *arguments = setting(SERVICE, "ExecStart").split()

    assert program == "/opt/notifybot/.venv-run/bin/python"
    assert "sudo make -C /opt/notifybot environment" in INSTALL
    assert arguments == ["-m", "notifybot", "run", "--config", "/etc/notifybot/config.yaml"]
    assert " config.yaml /etc/notifybot/config.yaml" in INSTALL
    assert "/etc/credstore/notifybot.telegram_token" in INSTALL


def test_the_user_is_made_by_sysusers() -> None:
    lines = (UNITS / "notifybot.sysusers.conf").read_text(encoding="utf-8").splitlines()

    assert [line.split()[:2] for line in lines if not line.startswith("#")] == [["u", setting(SERVICE, "User")]]
