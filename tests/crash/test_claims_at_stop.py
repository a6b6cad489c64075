"""A claim under way at a stop: the dispatcher still makes its call."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest
import pytest_asyncio
from sqlmodel import Session, select

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import new_sandbox
from notifybot.delivery.calls import Calls, DeliverySettings
from notifybot.delivery.claims import Leader
from notifybot.delivery.dispatcher import Dispatcher
from notifybot.delivery.rate_limits import rate_limits
from notifybot.files.admit import FileAdmission
from notifybot.files.fetch import Fetcher, SystemResolver
from notifybot.files.store import FileStore
from notifybot.messages import accept
from notifybot.messages.new_message import NewMessage
from notifybot.model.chats import Chat
from notifybot.posts import bot as posts_bot
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.rendering.parts import Stored
from notifybot.sandbox import Sandbox, serving
from notifybot.storage import migrations
from notifybot.storage.database import Database
from notifybot.storage.under_way import UnderWay
from notifybot.storage.writer import Changes
from notifybot.system.marks import Marks
from notifybot.telegram_api.bot import PollingBot
from notifybot.telegram_api.sender import TelegramSender
from notifybot.times.clock import Clock

WITHIN = timedelta(seconds=20)


class SlowWriter:
    """Blocks the database writer from the first commit that makes something due, until `gate` opens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._holding: asyncio.Task[None] | None = None
        self.gate = threading.Event()
        self.is_held = asyncio.Event()

    def on_commit(self, changes: Changes) -> None:
        if changes.is_work_due and self._holding is None:
            self._holding = asyncio.create_task(self._database.write(self._hold))

    def _hold(self, _: Session) -> None:
        self._loop.call_soon_threadsafe(self.is_held.set)
        self.gate.wait(WITHIN.total_seconds())


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/notifybot.sqlite3"
    migrations.upgrade(url)
    opened = Database(url)
    opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def sandbox() -> Sandbox:
    return new_sandbox(limits=False)


async def test_a_claim_in_progress_at_a_stop_still_makes_its_call(
    database: Database, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with serving(sandbox) as url:
        anna = add_person(sandbox, "Anna")
        bot = PollingBot(
            sandbox.token, base_url=url, connections=20, known=None, on_fetch=lambda: None, on_error=lambda _: None
        )
        await bot.initialize()
        dispatcher = await started_dispatcher(database, bot, tmp_path)
        writer = SlowWriter(database)
        database.after_commit(writer.on_commit)
        database.after_commit(dispatcher.on_commit)

        await database.write(lambda session: accept.accept(session, [notice(anna.id)], now=Clock().now()))
        await writer.is_held.wait()
        stopping = asyncio.create_task(dispatcher.stop(within=WITHIN))
        await asyncio.sleep(0)
        writer.gate.set()
        await stopping
        await bot.shutdown()

    assert [message.text for message in sandbox.messages(anna)] == ["disk full"]
    assert await database.read(lambda session: session.exec(select(Chat.claimed_post)).all()) == [None]


def no_files(stored: Stored) -> IO[bytes]:
    raise FileNotFoundError(stored.sha256)


async def started_dispatcher(database: Database, bot: PollingBot, folder: Path) -> Dispatcher:
    clock = Clock()
    term = await database.write(lambda session: posts_bot.begin_term(session, now=clock.now()))
    limits = rate_limits(overall_per_second=1000, chat_per_second=1000, group_per_minute=60000)
    store = FileStore(folder, max_bytes=1)
    files = FileAdmission(store, Fetcher(store, resolve=SystemResolver()), None, None)
    settings = DeliverySettings(give_up_after=timedelta(hours=1), max_parts=5)
    under_way = UnderWay(Marks(folder / "under-way", clock.boot_id()), database)
    calls = Calls(TelegramSender(bot, no_files), files, settings, under_way)
    dispatcher = Dispatcher(database, clock, calls, Leader(term, limits))
    dispatcher.start()
    return dispatcher


def notice(chat_id: int) -> NewMessage:
    return NewMessage(
        account="root",
        source="cron",
        recipients=(Recipient(RecipientKind.CHAT, str(chat_id)),),
        content="disk full",
        title=None,
        is_alert=False,
        escalate_after=None,
        close_after=None,
    )
