"""A claim under way at a stop: the dispatcher still makes its call."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
from notifybot.sandbox.world.state import User
from notifybot.storage import migrations
from notifybot.storage.database import Database
from notifybot.storage.under_way import UnderWay
from notifybot.system.marks import Marks
from notifybot.telegram_api.bot import PollingBot
from notifybot.telegram_api.sender import TelegramSender
from notifybot.times.clock import Clock

WITHIN = timedelta(seconds=20)


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
    async with connected(sandbox) as bot:
        anna = add_person(sandbox, "Anna")
        await database.write(accepting(anna))
        dispatcher = await new_dispatcher(database, bot, tmp_path)
        async with a_busy_writer(database):
            dispatcher.start()
            await asyncio.sleep(0)
            stopping = asyncio.create_task(dispatcher.stop(within=WITHIN))
            await asyncio.sleep(0)
        await stopping

    assert [message.text for message in sandbox.messages(anna)] == ["disk full"]
    assert await database.read(lambda session: session.exec(select(Chat.claimed_post)).all()) == [None]


async def test_a_claim_together_with_its_message_at_a_stop_still_makes_its_call(
    database: Database, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with connected(sandbox) as bot:
        anna = add_person(sandbox, "Anna")
        dispatcher = await new_dispatcher(database, bot, tmp_path)
        dispatcher.start()
        await asyncio.sleep(0)
        await database.write(lambda _: None)  # its first look is over
        before = database.commits
        accepted = database.start_write(accepting(anna))
        async with a_busy_writer(database):  # in the same commit
            stopping = asyncio.create_task(dispatcher.stop(within=WITHIN))
            await asyncio.sleep(0)
        await asyncio.gather(accepted, stopping)

    assert [message.text for message in sandbox.messages(anna)] == ["disk full"]
    assert await database.read(lambda session: session.exec(select(Chat.claimed_post)).all()) == [None]
    assert database.commits - before == 2  # the message with its claim, and the outcome


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[PollingBot]:
    async with serving(sandbox) as url:
        bot = PollingBot(
            sandbox.token, base_url=url, connections=20, known=None, on_fetch=lambda: None, on_error=lambda _: None
        )
        await bot.initialize()
        yield bot
        await bot.shutdown()


@asynccontextmanager
async def a_busy_writer(database: Database) -> AsyncIterator[None]:
    """Keep the writer busy, in one commit with what was asked for just before."""
    gate = threading.Event()
    busy = database.start_write(lambda _: gate.wait(WITHIN.total_seconds()))
    await _turns(10)
    yield
    gate.set()
    await busy


async def _turns(count: int) -> None:
    """Let the event loop turn, until writes are handed over."""
    for _ in range(count):
        await asyncio.sleep(0)


def accepting(person: User) -> Callable[[Session], object]:
    now = Clock().now()
    return lambda session: accept.accept(session, [notice(person.id)], now=now)


def no_files(stored: Stored) -> IO[bytes]:
    raise FileNotFoundError(stored.sha256)


async def new_dispatcher(database: Database, bot: PollingBot, folder: Path) -> Dispatcher:
    clock = Clock()
    term = await database.write(lambda session: posts_bot.begin_term(session, now=clock.now()))
    limits = rate_limits(overall_per_second=1000, chat_per_second=1000, group_per_minute=60000)
    store = FileStore(folder, max_bytes=1)
    files = FileAdmission(store, Fetcher(store, resolve=SystemResolver()), None, None)
    settings = DeliverySettings(give_up_after=timedelta(hours=1), max_parts=5)
    under_way = UnderWay(Marks(folder / "under-way", clock.boot_id()), database)
    calls = Calls(TelegramSender(bot, no_files), files, settings, under_way)
    dispatcher = Dispatcher(database, clock, calls, Leader(term, limits))
    database.after_commit(dispatcher.on_commit)
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
