"""A world in one process: Telegram (the sandbox), the real daemon on a real database, people, and a clock."""

import asyncio
import contextlib
import io
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import yaml

from notifybot import app, config
from notifybot.config.model import Config
from notifybot.jobs import JOBS, Job
from notifybot.jobs.scheduler import run_job
from notifybot.model.schedules import JobRun
from notifybot.posts import chats
from notifybot.runtime import Runtime
from notifybot.sandbox import Sandbox, serving
from notifybot.times.clock import Clock
from tests.stories.clock import Bell, MovedClock
from tests.stories.places import Person, Place
from tests.support.databases import Template

PATIENCE_S = 20.0
"""Timeout of every wait in a story; only failing stories reach it."""
MOST_SECONDS = 120
STOPPING_S = 0.1
NO_LIMITS = {"overall_per_second": 1000, "chat_per_second": 1000, "group_per_minute": 60000}
Found = TypeVar("Found")
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A response from the socket."""

    status: int
    body: Any


@dataclass(frozen=True)
class Sent:
    """A message that the daemon accepted."""

    world: "World"
    id: str
    accepted: Json

    async def now(self) -> Json:
        """Return the current message."""
        return await self.world.get(f"/api/messages/{self.id}")

    async def becomes(self, status: str) -> Json:
        """Wait until it has this state; return the message."""

        async def ask() -> Json | None:
            message = await self.now()
            return message if message["status"] == status else None

        return await self.world.learns(ask, f"the message {self.id} is {status}")

    async def tells(self, event: str) -> Json:
        """Wait until its timeline has such an event; return the last one."""

        async def ask() -> Json | None:
            lines = [line for line in (await self.now())["timeline"] if line["event"] == event]
            return lines[-1] if lines else None

        return await self.world.learns(ask, f"the message {self.id} has {event!r} in its timeline")

    async def events(self) -> list[str]:
        return [line["event"] for line in (await self.now())["timeline"]]

    async def delivery(self, place: Place) -> Json:
        """Return its delivery to this place."""
        found = [each for each in (await self.now())["deliveries"] if each["chat_id"] == str(place.id)]
        assert len(found) == 1, found
        return dict(found[0])

    async def is_asked(self, verb: str) -> Answer:
        """Acknowledge, close or cancel it through the socket."""
        return await self.world.ask("POST", f"/api/messages/{self.id}/{verb}")


class World:
    """`duty` is the kind of the escalation channel; `settings` are merged over the config, a section at a time."""

    def __init__(
        self,
        folder: Path,
        template: Template,
        *,
        limits: bool = False,
        duty: str = "channel",
        **settings: Json | list[str] | None,
    ) -> None:
        self.folder = folder
        self.bell = Bell()
        self.clock = MovedClock(self.bell)
        self.token = f"600000001:{secrets.token_hex(20)}"
        self.sandbox = Sandbox(token=self.token, clock=self.clock.seconds, limits=limits)
        self.sandbox.world.events.changed = self.sandbox.world.updates.arrived = self.bell
        self.duty = self.group("Duty", duty)
        self.store = template.copy(folder)
        self._settings = {} if limits else {"telegram": {"limits": NO_LIMITS}}
        self._own_settings: Json = settings
        self.web = app.FetchOptions()
        """Options for fetching files, used by the next start."""
        self._daemon: app.Daemon | None = None
        self.log: list[str] = []
        self._running = contextlib.AsyncExitStack()
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._open.enter_context(_listening(self.log, self.bell))
        self.url = await self._open.enter_async_context(serving(self.sandbox))
        connector = aiohttp.UnixConnector(str(self.socket))
        self.client = await self._open.enter_async_context(
            aiohttp.ClientSession("http://notifybot", connector=connector)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sandbox.clear_faults()
        await self.stops()
        await self._open.aclose()
        self.store.drop()

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    @property
    def config(self) -> Config:
        sections: Json = {
            "telegram": {"token": self.token, "base_url": self.url},
            "data_dir": str(self.folder),
            "database": {"url": self.store.url},
            "socket": {"path": str(self.socket)},
            "alerts": {"escalation_channel": self.duty.id},
        }
        for settings in (self._settings, self._own_settings):
            sections = _merged(sections, settings)
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(sections))
        return config.load(path, {}, is_start=True)

    def sets(self, **settings: Json | list[str] | None) -> None:
        """Change the config of the next start."""
        self._own_settings = _merged(self._own_settings, settings)

    # The daemon

    async def starts(self, clock: Clock | None = None) -> None:
        """Start the daemon, by default with the story's clock; return once it accepts requests."""
        self.clock.restarts()
        self._daemon = await self._running.enter_async_context(
            app.daemon(self.config, clock or self.clock, [], fetch=self.web)
        )
        self._daemon.runtime.database.after_commit(lambda _: self.bell.fire())

    async def stops(self) -> None:
        """Stop the daemon, like SIGTERM. If the stop waits for a moment, move the clock there."""
        self._daemon = None
        stopping = asyncio.create_task(self._running.aclose())
        while not (await asyncio.wait({stopping}, timeout=STOPPING_S))[0]:
            self.moves(seconds=1)
        await stopping

    async def restarts(self) -> None:
        await self.stops()
        await self.starts()

    @property
    def runtime(self) -> Runtime:
        assert self._daemon is not None, "the daemon does not run"
        return self._daemon.runtime

    # Chats and people

    def group(self, title: str, kind: str = "supergroup", **more: Any) -> Place:
        """Add a group or channel with the bot."""
        return Place(self, self.sandbox.add_chat(kind, title, **more).id, title)

    async def knows(self, *places: Place) -> None:
        """Note that these chats took messages before: a caller has at most one call in flight in new ones."""
        ids = {str(place.id) for place in places}
        await self.runtime.database.write(partial(chats.ensure, chat_ids=ids, is_new=False))

    def migrates(self, group: Place) -> Place:
        """Turn the group into a supergroup; return that."""
        return Place(self, self.sandbox.migrate(group.id).id, group.name)

    def person(self, name: str, *, username: str | None = None) -> Person:
        """Add a person who has never written to the bot."""
        return Person(self, self.sandbox.add_user(name, username=username))

    def member(self, of: Place, name: str) -> Person:
        """Add a person to a group."""
        person = self.person(name)
        self.joins(person, of)
        return person

    def joins(self, person: Person, group: Place) -> None:
        self.sandbox.chat(group.id).member_ids.add(person.id)

    async def subscriber(self, name: str, *, username: str | None = None) -> Person:
        """Add a person who has pressed /start."""
        person = self.person(name, username=username)
        person.says("/start")
        await person.receives("You are subscribed")
        return person

    # Callers

    async def alert(self, content: str, *, to: Place | str, **fields: object) -> Sent:
        answer = await self.ask("POST", "/api/ingest", {"content": content, "channel_id": _chat(to), **fields})
        assert answer.status == 202, answer
        return Sent(self, answer.body["id"], answer.body)

    async def notice(self, content: str, *, to: Place | str, **fields: object) -> Sent:
        return await self.alert(content, to=to, acknowledge=False, **fields)

    async def uploads(
        self, *files: tuple[str, str, bytes], to: Place | str, path: str = "/api/ingest", **fields: str
    ) -> Sent:
        """Send files as a form: (field, file name, content) each."""
        named = {"channel_id": str(_chat(to))} if path == "/api/ingest" else {"user": str(to)}
        answer = await self.submit(path, files, {**named, **fields})
        assert answer.status in (200, 202), answer
        return Sent(self, answer.body["id"], answer.body)

    async def submit(self, path: str, files: Sequence[tuple[str, str, bytes]], fields: Mapping[str, str]) -> Answer:
        """Post a form, its fields before its files."""
        form = aiohttp.FormData()
        for name, value in fields.items():
            form.add_field(name, value)
        for name, file_name, content in files:
            form.add_field(name, io.BytesIO(content), filename=file_name)
        async with self.client.post(path, data=form) as response:
            return Answer(response.status, json.loads(await response.text()))

    async def download(self, path: str) -> tuple[int, bytes]:
        async with self.client.get(path) as response:
            return response.status, await response.read()

    async def get(self, path: str) -> Json:
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer
        assert isinstance(answer.body, dict)
        return answer.body

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request; check that the response does not contain the token."""
        async with self.client.request(method, path, json=body, headers=headers) as response:
            text = await response.text()
        assert self.token not in text
        return Answer(response.status, json.loads(text))

    # Time

    async def later(self, **span: float) -> None:
        """Move the clock at once, as after a sleep, and run the jobs: the JobQueue does not see the move."""
        self.moves(**span)
        if self._daemon is not None:
            await self.ticks()

    def moves(self, **span: float) -> None:
        """Move the clock and nothing else."""
        self._move(self.clock.at + timedelta(**span))

    async def sets_clock(self, **span: float) -> None:
        """Set the machine's clock forward, or back; the daemon notices. The jobs run, as after each step."""
        self.clock.ahead += timedelta(**span)
        if self._daemon is not None:
            await self._daemon.clock_watch.look()
            await self.ticks()

    async def ticks(self, *names: str) -> None:
        """Run these jobs, or all."""
        for job in JOBS:
            if names and job.name not in names:
                continue
            run = await self._run(job)
            assert run.error is None, run.error

    async def _run(self, job: Job) -> JobRun:
        """Run a job; while it waits for a moment, such as the end of an outage, let time pass."""
        running = asyncio.create_task(run_job(self.runtime, job))
        running.add_done_callback(lambda _: self.bell.fire())
        while True:
            await self.sees(lambda: running.done() or self.clock.is_awaited_by("presses"), f"{job.name} has run")
            if running.done():
                return running.result()
            self._move(self.clock.next_alarm() or self.clock.at)

    async def passes(self, **span: float) -> None:
        """Let time pass, from one awaited moment to the next."""
        end = self.clock.at + timedelta(**span)
        await self.is_quiet()
        while (moment := self.clock.next_alarm()) is not None and moment < end:
            self._move(moment)
            await self.is_quiet()
        self._move(end)
        await self.is_quiet()
        await self.ticks()

    async def in_time(self, look: Callable[[], object], what: str) -> None:
        """Let time pass, second by second, until `look` returns something true."""
        for _ in range(MOST_SECONDS):
            if look():
                return
            await self.passes(seconds=1)
        raise AssertionError(f"not seen within {MOST_SECONDS} s of the story: {what}\n{self.picture()}")

    def _move(self, to: datetime) -> None:
        self.clock.move(to)
        if self._daemon is not None and self.sandbox.polling.is_active:
            self.runtime.telegram.note_fetch()  # a long poll takes real time, and does not count as silence

    # Waiting

    async def is_quiet(self) -> None:
        """Wait until nothing more happens unless the clock moves or someone acts."""
        await self.sees(self._rests, "the daemon rests")

    def _rests(self) -> bool:
        if self.runtime.config.telegram.token is None:
            return True
        delivers = self.clock.is_awaited_by("dispatcher") and self.runtime.dispatcher.is_idle
        waits_to_deliver = self.clock.is_awaited_by("work")
        has_taken_updates = len(self.sandbox.world.updates) == 0 or not self.sandbox.polling.is_active
        repeats = self.clock.is_awaited_by("repeat")  # an update that failed: polling may wait for it
        has_taken_updates = repeats or (self.clock.is_awaited_by("telegram") and has_taken_updates)
        return (delivers or waits_to_deliver) and has_taken_updates

    async def logs(self, line: str) -> None:
        """Wait until the daemon has logged this, as a warning or an error."""
        await self.sees(lambda: line in self.log, f"the daemon logs {line!r}")

    async def sees(self, look: Callable[[], Found | None], what: str) -> Found:
        """Wait until `look` returns something true, looking again whenever something may have changed."""

        async def ask() -> Found | None:
            return look()

        return await self.learns(ask, what)

    async def learns(self, ask: Callable[[], Awaitable[Found | None]], what: str) -> Found:
        """Wait until `ask` returns something true, asking again whenever something may have changed."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            rings = self.bell.rings
            if found := await ask():
                return found
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or (self.bell.rings == rings and not await self.bell.wait(left)):
                raise AssertionError(f"not seen within {PATIENCE_S:g} s: {what}\n{self.picture()}")

    # Internals

    def refusals(self, method: str) -> list[str]:
        """Return Telegram's refusals of this method's calls, oldest first."""
        return [str(call.description) for call in self.sandbox.calls.of(method) if call.status != 200]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Query the database directly."""
        return self.store.rows(query, *values)

    def picture(self) -> str:
        """Describe every chat, the database and the latest calls, for failure messages."""
        return "\n".join([f"It is {self.clock.at}.", *self._chats(), *self._messages(), *self._calls()])

    def _chats(self) -> list[str]:
        lines = []
        for chat in self.sandbox.world.chats.values():
            lines.append(f"In {chat.title or (chat.user and chat.user.first_name)} ({chat.type}, {chat.id}):")
            for message in chat.messages.values():
                lines += [f"  {message.sender.first_name}, once: {version.text!r}" for version in message.history]
                lines.append(f"  {message.sender.first_name}: {message.text!r} {message.button_texts}")
        return lines

    def _messages(self) -> list[str]:
        lines = ["Messages:"]
        for message_id, state, content in self.rows("SELECT id, state, content FROM messages ORDER BY id"):
            lines.append(f"  {message_id} {state}: {content[:40]!r}")
            for at, event, detail in self.rows(
                "SELECT at, event, detail FROM timeline WHERE message_id = ?", message_id
            ):
                lines.append(f"    {at} {event} {detail or ''}")
        return lines

    def _calls(self) -> list[str]:
        calls = [call for call in self.sandbox.calls if call.method != "getUpdates"][-20:]
        shown = [f"  {call.method} in {call.chat_id} -> {call.status} {call.description or ''}" for call in calls]
        return ["Latest calls:", *shown]


@contextlib.contextmanager
def _listening(log: list[str], bell: Bell) -> Iterator[None]:
    """Collect the daemon's log lines from WARNING up, and ring at each."""
    loop = asyncio.get_running_loop()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.append(record.getMessage())
            loop.call_soon_threadsafe(bell.fire)

    ear = Ear(logging.WARNING)
    logging.getLogger("notifybot").addHandler(ear)
    try:
        yield
    finally:
        logging.getLogger("notifybot").removeHandler(ear)


def _chat(to: Place | str) -> int | str:
    return to if isinstance(to, str) else to.id


def _merged(sections: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    merged = dict(sections)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
