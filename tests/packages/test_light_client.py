"""notifybot-client.pyz: one file, run by a Python that sees nothing else, against the real daemon."""

import asyncio
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import notifybot
from tests.support.remote import Wire, wire

pytestmark = pytest.mark.slow_because("starts Python several times, and builds the client")

ROOT = Path(__file__).parents[2]
BARE = Path(getattr(sys, "_base_executable", sys.executable))
"""The interpreter without this environment's packages."""
TO = "-1001234567890"


def build(target: Path) -> Path:
    subprocess.run([sys.executable, ROOT / "packaging" / "client.py", target], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("client") / "notifybot-client.pyz")


def run(client: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it without this environment's packages, away from the checkout."""
    return subprocess.run(
        [BARE, "-I", "-S", client, *words],
        cwd=client.parent,
        env={"PATH": "/usr/bin:/bin", "HOME": str(client.parent), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


async def elsewhere(client: Path, line: Wire, *words: str, token: str) -> subprocess.CompletedProcess[str]:
    url = f"http://127.0.0.1:{line.port}"
    return await asyncio.to_thread(run, client, *words, NOTIFYBOT_URL=url, NOTIFYBOT_TOKEN=token)


def test_it_has_the_versions_and_the_commands_of_its_tree(client: Path) -> None:
    assert run(client, "--version").stdout == f"notifybot {notifybot.__version__}\n"
    assert "messages" in run(client, "--help").stdout


def test_the_same_tree_makes_the_same_bytes(client: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "again.pyz").read_bytes() == client.read_bytes()


def test_it_carries_no_part_of_the_daemon(client: Path) -> None:
    with zipfile.ZipFile(client) as archive:
        rooms = {name.split("/")[1] for name in archive.namelist() if name.startswith("notifybot/")}

    assert rooms == {"__init__.py", "__main__.py", "errors.py", "cli", "client", "times"}


@pytest.mark.parametrize("words", ["run", "demo", "config check", "config init", "db upgrade"])
def test_the_daemons_own_commands_say_that_they_are_elsewhere(client: Path, words: str) -> None:
    done = run(client, *words.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert f"`notifybot {words}` is not in the light client." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "send --to ops hi",
        "send --to ops --every 5m hi",
        "messages",
        "messages ack 018f",
        "open",
        "event post_failure --to ops",
        "schedules",
        "oncall",
        "jobs",
        "status",
        "people",
        "token list",
        "health",
    ],
)
def test_each_client_command_works_up_to_the_daemon_that_is_missing(client: Path, words: str) -> None:
    done = run(client, *words.split(), NOTIFYBOT_SOCKET="/nowhere/notifybot.sock")

    assert "No notifybot daemon is running" in done.stderr, done.stderr
    assert done.returncode == 1


async def test_it_sends_and_lists_over_tcp_with_a_token(client: Path, folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token(scopes=["send", "read"])
        sent = await elsewhere(client, line, "send", "--to", TO, "--json", "disk full", token=token)
        listed = await elsewhere(client, line, "messages", "--json", token=token)

    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["id"] in listed.stdout


async def test_it_sends_over_the_socket(client: Path, folder: Path) -> None:
    async with wire(folder) as line:
        path = str(line.socket.path)
        sent = await asyncio.to_thread(run, client, "send", "--to", TO, "disk full", NOTIFYBOT_SOCKET=path)

    assert sent.returncode == 0, sent.stderr
