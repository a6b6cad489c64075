"""Alerts with random spans, and what their chats say of them afterwards."""

import asyncio
import contextlib
import itertools
import json
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import Home
from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import Message

PEOPLE = 40
"""Half of them get alerts, and each of these escalates to one of the others."""
CALLERS = 4
RETRY_AFTER_S = 0.1
LOOK_EVERY_S = 0.3
TOLERATED_S = 0.6
"""Steps below half a second are followed later; and two clocks are read at two moments."""


@dataclass
class Alert:
    """An alert, in true Unix seconds: when it was first asked for, and when it was accepted."""

    mark: str
    person: int
    asked_at: float
    accepted_at: float | None = None


@dataclass(frozen=True)
class Seen:
    """What happened to an alert: true times, or None for never."""

    alert: Alert
    shown_at: float | None
    escalated_at: float | None
    closed_at: float | None


@dataclass
class Excuses:
    """Spans in which the daemon could not do its work: it was down, or Telegram was away or banned it."""

    spans: list[tuple[float, float]] = field(default_factory=list)

    def overlap(self, begin: float, end: float) -> float:
        """Return how much of this time is excused."""
        total, at = 0.0, begin
        for start, stop in sorted(self.spans):
            total += max(0.0, min(stop, end) - max(start, at))
            at = max(at, stop)
        return total


def escalates_after(person: int) -> int:
    return 3 + person % 8


def closes_after(person: int) -> int:
    return escalates_after(person) + 4 + person % 4


class Crowd:
    """People, alerts to half of them, and the config that escalates each person's alerts to another."""

    def __init__(self, home: Home, sandbox: Sandbox, url: str, rng: random.Random) -> None:
        self.sandbox = sandbox
        self.alerts: list[Alert] = []
        self.closed_at: dict[str, float] = {}
        """When each alert was first seen closed in the database, by its text. Edits of posts wait for alerts."""
        self.allowed = 0
        """Alerts that may have been sent so far."""
        self._home = home
        self._rng = rng
        self._numbers = itertools.count()
        self.chats = [add_person(sandbox, f"Person{number}").id for number in range(PEOPLE)]
        home.configure(sandbox, url, escalation_channel=self.chats[-1])
        settings = json.loads(home.config.read_text())
        settings["alerts"]["policies"] = {f"p{person}": self._policy(person) for person in range(PEOPLE // 2)}
        settings["delivery"] = {"storm_after": "never"}
        home.config.write_text(json.dumps(settings))

    def _policy(self, person: int) -> dict[str, object]:
        step = {"after": f"{escalates_after(person)}s", "to": [str(self.chats[person + PEOPLE // 2])]}
        return {"steps": [step], "close_after": f"{closes_after(person)}s"}

    async def watch(self) -> None:
        """Look forever which alerts are closed."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.closing(sqlite3.connect(f"file:{self._home.database}?mode=ro", uri=True)) as database:
                closed = database.execute("SELECT content FROM messages WHERE state = 'closed'").fetchall()
            now = time.time()
            for (content,) in closed:
                self.closed_at.setdefault(content, now)

    def next_chat(self) -> int:
        """Return a chat that will get an alert soon."""
        return self.chats[(self.allowed - 1) % (PEOPLE // 2)]

    async def send(self, total: int) -> None:
        """Send this many alerts, as fast as `allowed` grows; repeat each until it is accepted."""
        await asyncio.gather(*(self._call(total) for _ in range(CALLERS)))

    async def _call(self, total: int) -> None:
        connector = UnixConnector(str(self._home.socket))
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=10)) as http:
            while len(self.alerts) < total:
                if len(self.alerts) < self.allowed:
                    await self._send_one(http)
                await asyncio.sleep(self._rng.uniform(0.01, 0.2))

    async def _send_one(self, http: ClientSession) -> None:
        number = next(self._numbers)
        alert = Alert(f"m{number:07}", number % (PEOPLE // 2), time.time())
        self.alerts.append(alert)
        body = {
            "content": _text(alert.mark),
            "channel_id": self.chats[alert.person],
            "policy": f"p{alert.person}",
            "client_id": alert.mark,
        }
        while alert.accepted_at is None:
            try:
                async with http.post("http://notifybot/api/ingest", json=body) as response:
                    if response.status in (200, 202):
                        alert.accepted_at = time.time()
                    else:
                        assert response.status >= 500, await response.text()
            except (ClientError, OSError, TimeoutError):
                await asyncio.sleep(RETRY_AFTER_S)

    def seen(self) -> Iterator[Seen]:
        """Yield what the chats say of each alert."""
        texts = {chat: list(self.sandbox.chat(chat).messages.values()) for chat in self.chats}
        for alert in self.alerts:
            primary = _with(alert.mark, texts[self.chats[alert.person]])
            escalated = _with(alert.mark, texts[self.chats[alert.person + PEOPLE // 2]])
            yield Seen(alert, _first(primary), _first(escalated), self.closed_at.get(_text(alert.mark)))


def _with(mark: str, messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if mark in message.text]


def _first(messages: Sequence[Message]) -> float | None:
    return min((message.sent_at for message in messages), default=None)


def _text(mark: str) -> str:
    return f"disk {mark} is full"


@dataclass(frozen=True)
class Verdict:
    """How late an alert was shown, escalated and closed, and what was early or never came. `unexcused_s`: without the
    time in which the daemon could do nothing."""

    mark: str
    late_s: dict[str, float]
    unexcused_s: dict[str, float]
    early: tuple[str, ...]
    missing: tuple[str, ...]


def judge(seen: Seen, excuses: Excuses) -> Verdict:
    alert = seen.alert
    assert alert.accepted_at is not None
    close_after = closes_after(alert.person)
    spans = {"shown": 0, "escalated": escalates_after(alert.person), "closed": close_after}
    found = {"shown": seen.shown_at, "escalated": seen.escalated_at, "closed": seen.closed_at}
    late, unexcused, early, missing = {}, {}, [], []
    for what, at in found.items():
        if at is None:
            missing.append(what)
            continue
        due = alert.accepted_at + spans[what]
        if what == "closed" and seen.shown_at is not None and seen.shown_at >= due - TOLERATED_S:
            due = seen.shown_at + close_after  # nobody could answer it before
        late[what] = max(0.0, at - due)
        unexcused[what] = max(0.0, at - due - excuses.overlap(due, at))
        if at < alert.asked_at + spans[what] - TOLERATED_S:
            early.append(what)
    return Verdict(alert.mark, late, unexcused, tuple(early), tuple(missing))
