"""docs/http.md: its configs load, and its requests get the responses that it shows."""

import asyncio
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from notifybot.config import load
from tests.support.certificates import certificate
from tests.support.keys import SECRET, ec_key, public_pem, signed
from tests.support.remote import wire

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
CONFIGS = re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", PAGE)
REQUESTS = re.findall(r"(?ms)^ *\$ (curl .*?[^\\])\n(.*?)^ *```", PAGE)
TOKEN = re.search(r"nb_[\w-]{43}", PAGE)

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")


@pytest.mark.parametrize("text", CONFIGS)
def test_every_config_on_the_page_loads(folder: Path, text: str) -> None:
    certificate(folder)
    (folder / "dashboard.pem").write_bytes(public_pem(ec_key()))
    (folder / "dashboard-secret").write_text(SECRET)
    names = {
        "/etc/notifybot/tls": folder,
        "/etc/notifybot": folder,
        "jwt:\n    account_claim": f"jwt:\n    secret: {SECRET}\n    account_claim",
    }
    indent = len(text) - len(text.lstrip())
    text = "\n".join(line[indent:] for line in text.splitlines())
    for old, new in names.items():
        text = text.replace(old, str(new))
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    load(folder / "config.yaml", {})


@needs_curl
async def test_every_request_on_the_page_answers_what_it_says(folder: Path) -> None:
    assert len(REQUESTS) == 4 and TOKEN is not None
    async with wire(folder, f"jwt: {{secret: '{SECRET}'}}", "alerts: {escalation_channel: -1002}") as line:
        token = await line.token("backup", to=["-1001234567890"])
        for command, shown in REQUESTS:
            words = command.replace("\\\n", " ").replace("127.0.0.1:8000", f"127.0.0.1:{line.port}")
            words = words.replace(TOKEN[0], token).replace("$JWT", signed())
            done = await asyncio.to_thread(subprocess.run, shlex.split(f"{words} -s"), capture_output=True, timeout=30)
            head, answer = split(done.stdout.decode())
            expected_head, expected = split(shown)
            assert (json.loads(answer).keys(), head[:1]) == (json.loads(expected).keys(), expected_head[:1]), answer
            assert {each for each in expected_head[1:] if each.startswith("WWW")} <= set(head)


def split(text: str) -> tuple[list[str], str]:
    """Split into the lines of the head, if there is one, and the body."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return lines[:-1], lines[-1]
