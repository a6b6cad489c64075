"""Healthchecks' bodies as events."""

import pytest

from notifybot.errors import NotifybotError
from notifybot.inbound.healthchecks import read
from notifybot.inbound.received import Received

CODE = "0b939d5b-6a0f-4a39-a3ae-3ad6eb6b4d4e"


@pytest.mark.parametrize(
    ("body", "title", "key", "is_resolved"),
    [
        (f"code={CODE}\nstatus=down\nname=Backup\ntags=prod db", "Backup is down", CODE, False),
        (f"code={CODE}\nstatus=up\nname=Backup\ntags=", "Backup is up", CODE, True),
        (f'code={CODE}\r\nstatus=down\r\nname="a=b" & c', '"a=b" & c is down', CODE, False),
        (f"status=down\ncode={CODE}", f"{CODE} is down", CODE, False),
        ("name=Backup\nstatus=down", "Backup is down", "Backup", False),
        (f'{{"code": "{CODE}", "status": "down", "name": "Backup"}}', "Backup is down", CODE, False),
        (f"code={CODE}\nstatus=down\nname=x\nnow=2026-01-01\n\nnoise", "x is down", CODE, False),
        (f"  code = {CODE}\n  status = up", f"{CODE} is up", CODE, True),
    ],
)
def test_a_check(body: str, title: str, key: str, is_resolved: bool) -> None:
    found = read(Received(body.encode()))
    assert (found.title, found.key, found.is_resolved) == (title, key, is_resolved)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "status: this must be down or up"),
        ("status=$STATUS", "status: this must be down or up"),
        ("status=new\nname=x", "status: this must be down or up"),
        ("status=down", "code: this field is required"),
        ("{broken", "The body is not JSON"),
        ('{"status": ["down"]}', "status: this must be text"),
    ],
)
def test_what_does_not_fit_is_refused(body: str, reason: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        read(Received(body.encode()))
    assert refused.value.detail.startswith(reason)
