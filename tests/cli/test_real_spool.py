"""An outage at the real daemon: what is spooled meanwhile arrives once, although hand-overs are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from notifybot.client import Client, Spooled
from notifybot.client.spool import Spool
from tests.cli.real import RealDaemon

MESSAGES = int(os.environ.get("SPOOLED_MESSAGES", "10"))
KILLED_AFTER = 7
"""A hand-over is killed after the daemon accepted this many, before it can note the last one."""
HAND_OVER = """
import os, pathlib, sys
from notifybot.client import Client
from notifybot.client.spool import Spool
client, spool = Client(sys.argv[1]), Spool(pathlib.Path(sys.argv[2]))
post, left = client._calls.attempt, int(sys.argv[3])
def counted(request):
    global left
    post(request)
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
spool.hand_over(counted, daemon=sys.argv[1])
"""


def test_messages_spooled_over_an_outage_with_kills_arrive_once_each(running: RealDaemon, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    running.stop()
    client = Client(running.socket, spool=spool, patience_s=0)
    texts = [f"message {number}" for number in range(MESSAGES)]
    for text in texts:
        with pytest.raises(Spooled):
            client.send(text, to=running.ops)
    running.start()

    command = [sys.executable, "-c", HAND_OVER, str(running.socket), str(spool.folder), str(KILLED_AFTER)]
    kills = 0
    while subprocess.run(command, check=False).returncode == -signal.SIGKILL:
        kills += 1

    assert kills >= MESSAGES // KILLED_AFTER
    assert spool.messages() == ()
    assert accepted_by(Client(running.socket)) == texts[::-1]


def accepted_by(client: Client) -> list[str | None]:
    """Return the texts of all messages, newest first."""
    texts, cursor = [], None
    while True:
        page = client.messages(limit=500, cursor=cursor)
        texts += [message.content for message in page.messages]
        cursor = page.next_cursor
        if cursor is None:
            return texts
