"""The composition root: builds everything in one straight line, waits for a signal, stops in reverse order."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web as aiohttp_web
from sqlmodel import Session
from telegram.ext import Application, JobQueue

from notifybot import handlers, ingest_server
from notifybot.config.model import Config
from notifybot.delivery.calls import Calls, DeliverySettings
from notifybot.delivery.claims import Leader
from notifybot.delivery.dispatcher import Dispatcher
from notifybot.delivery.in_flight import MAX_WITH_HANGING
from notifybot.delivery.rate_limits import RateLimits, rate_limits
from notifybot.errors import StartRefused, Unavailable
from notifybot.files.admit import FileAdmission
from notifybot.files.fetch import Fetcher, Resolve, SystemResolver
from notifybot.files.public_addresses import Address, is_public
from notifybot.files.scan import Scanner
from notifybot.files.store import FileStore
from notifybot.handlers import command_menu
from notifybot.health import unknown_zones
from notifybot.health.exposed_files import private_files_of
from notifybot.health.job_status import JobStatus
from notifybot.jobs import admin_notices
from notifybot.jobs.scheduler import PatientJobQueue, Scheduler
from notifybot.messages import lost_recipients
from notifybot.messages.batcher import Batcher
from notifybot.messages.watchers import Watchers
from notifybot.posts import bot as posts_bot
from notifybot.posts import chats as posts_chats
from notifybot.posts import clock_steps
from notifybot.posts.clock_steps import Reading
from notifybot.posts.clock_watch import ClockWatch
from notifybot.recipients.from_config import chats_of, directory_of
from notifybot.runtime import Runtime
from notifybot.storage import known_databases, migrations
from notifybot.storage.database import Database
from notifybot.storage.engines import hold_database, lock_path, password_in
from notifybot.storage.under_way import UnderWay
from notifybot.system import logs, marks, private_files, secret_key, signals, systemd
from notifybot.system.bot_lock import hold_bot
from notifybot.system.kept_files import KeptFile, KeptFiles
from notifybot.system.locks import hold_file
from notifybot.system.marks import Marks
from notifybot.system.work_pool import WorkPool
from notifybot.telegram_api.bot import PollingBot
from notifybot.telegram_api.http import telegram_time
from notifybot.telegram_api.polling import CATCH_UP_WITHIN, App, TelegramConnection
from notifybot.telegram_api.sender import TelegramSender
from notifybot.telegram_api.update_processor import MarkingProcessor
from notifybot.telegram_api.update_queue import DurableQueue
from notifybot.templates import Templates
from notifybot.templates.renderer import Renderer
from notifybot.times.clock import Clock

NO_TOKEN = "0:" + "0" * 35
"""An Application needs a token; with this one it never calls Telegram."""
TELEGRAM = "https://api.telegram.org"
SPARE_CONNECTIONS = 20
"""For probes and replies to presses, in addition to sends."""
MAX_DOCUMENT = 50_000_000
"""In bytes, for Telegram's own server; a self-hosted one accepts more."""
TELEGRAM_TIME_WITHIN = timedelta(seconds=2)
FINISH_CALLS_WITHIN = timedelta(seconds=5)
THREAD_SWITCH_S = 0.0005
RESTART_AFTER = timedelta(seconds=5)
GC_THRESHOLDS = (20_000, 50, 50)
"""With Python's defaults, each commit of many requests is delayed by collections over all requests in progress."""
log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Run the daemon until SIGTERM or SIGINT; return 0 after a clean stop. Raises StartRefused if it cannot start."""
    private_files.set_umask()
    # The writer and the event loop hand the interpreter to each other at every statement; by default the one that
    # comes back waits up to 5 ms.
    sys.setswitchinterval(THREAD_SWITCH_S)
    logs.configure(level=config.log.level, format=config.log.format.value, file=config.log.file)
    jwt_secret = None if config.http.jwt is None else config.http.jwt.secret
    telegram = config.telegram
    proxy, proxy_secret = telegram.proxy, None if telegram.proxy is None else telegram.proxy.password
    database_secret = password_in(config.database.url)
    for secret in (telegram.token, telegram.webhook.secret_token, database_secret, jwt_secret, proxy_secret):
        if secret is not None:
            logs.register_secret(str(secret))
    if proxy is not None:
        log.info("Telegram is reached through a proxy", extra={"action": "proxy", "proxy": str(proxy)})
    asyncio.run(_serve(config))
    return 0


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    signals.log_ignored()
    async with daemon(config, Clock(), systemd.listen_fds()) as running:
        # A full collection over everything imported stops the process for 30-50 ms: exclude that from now on.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        systemd.notify("READY=1")
        log.info("ready", extra={"action": "ready"})
        deposed = running.runtime.database.deposed
        await _first_of(stop, deposed)
        systemd.notify("STOPPING=1")
        log.info("stopping", extra={"action": "stopping"})
    if deposed.is_set():
        raise StartRefused(
            "Another daemon leads on this database now; this one has stopped.",
            hint="Only one daemon may use a database.",
        )


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


@dataclass(frozen=True)
class Daemon:
    """The parts that start and stop."""

    runtime: Runtime
    application: App
    bot: PollingBot
    queue: DurableQueue
    scheduler: Scheduler
    clock_watch: ClockWatch
    runner: aiohttp_web.AppRunner


@contextlib.asynccontextmanager
async def daemon(
    config: Config, clock: Clock, inherited: list[socket.socket], *, fetch: "FetchOptions | None" = None
) -> AsyncIterator[Daemon]:
    """Run a daemon that accepts requests at once; Telegram and the jobs come up in the background."""
    with contextlib.ExitStack() as locks:
        leadership = locks.enter_context(hold_database(config.database.url))
        warnings: tuple[str, ...] = ()
        if config.telegram.token is not None:
            warnings = locks.enter_context(await asyncio.to_thread(hold_bot, config.telegram.token)).warnings
        await asyncio.to_thread(_open_database, config)
        database = Database(config.database.url, leadership)
        database.start()
        under_way = UnderWay(Marks(config.data_dir / marks.FILE, clock.boot_id()), database)
        locks.callback(under_way.close)
        files = _files(config, under_way, fetch or FetchOptions())
        await asyncio.to_thread(files.store.sweep)
        try:
            built = await _build(config, clock, database, under_way, files, inherited)
            built.runtime.start_warnings.extend(warnings)
            built.runtime.kept_files.files += _kept_files(built, locks, is_inherited=bool(inherited))
            work = asyncio.create_task(_work(built), name="work")
            try:
                yield built
            finally:
                await _stop(built, work)
        finally:
            await asyncio.to_thread(files.store.close)
            await database.close()


def _open_database(config: Config) -> None:
    known_databases.refuse_emptied(config.data_dir, config.database.url)
    migrations.upgrade(config.database.url)
    known_databases.remember(config.data_dir, config.database.url)
    private_files_of(config).protect()


def _kept_files(daemon: Daemon, locks: contextlib.ExitStack, *, is_inherited: bool) -> Iterator[KeptFile]:
    runtime = daemon.runtime
    config, database = runtime.config, runtime.database
    yield from ingest_server.kept_files(daemon.runner, config, is_inherited=is_inherited)
    yield secret_key.kept_file(config.data_dir, runtime.secret_key)
    yield runtime.files.store.kept_file()
    found = database.kept_file()
    if found is not None:
        yield found
        yield _kept_lock(found.path, locks, database)


def _kept_lock(path: Path, locks: contextlib.ExitStack, database: Database) -> KeptFile:
    """Return the lock of the database, which is taken again if it is removed. If another daemon was faster, stop."""

    async def lock_again() -> None:
        try:
            locks.enter_context(hold_file(lock_path(path)))
        except StartRefused:
            database.deposed.set()
            raise

    return KeptFile("lock", lock_path(path), lock_again)


async def _build(
    config: Config,
    clock: Clock,
    database: Database,
    under_way: UnderWay,
    files: FileAdmission,
    inherited: list[socket.socket],
) -> Daemon:
    term = await database.lead(partial(_begin_term, reading=await _read_clock(config, clock, database)))
    await under_way.take_over(now=clock.now())
    await database.write(partial(posts_chats.ensure, chat_ids=chats_of(config), is_new=False))
    known = await database.read(posts_bot.identity)
    connection = TelegramConnection(database, clock, keep_webhook=config.telegram.keep_webhook)
    queue = DurableQueue(database, clock)
    bot = PollingBot(
        config.telegram.token or NO_TOKEN,
        base_url=config.telegram.base_url,
        connections=MAX_WITH_HANGING + SPARE_CONNECTIONS,
        known=known,
        on_fetch=connection.note_fetch,
        on_error=connection.note_error,
        on_date=connection.note_date,
        proxy=config.telegram.proxy,
    )
    builder = Application.builder().bot(bot).update_queue(queue).job_queue(PatientJobQueue())
    application: App = builder.concurrent_updates(MarkingProcessor(under_way, database, clock)).build()
    handlers.register(application)
    sender = TelegramSender(bot, lambda stored: files.store.path_of(stored.sha256).open("rb"))
    runtime = _runtime(config, clock, database, connection, sender, files, under_way, term)
    application.bot_data["runtime"] = runtime
    assert application.job_queue is not None
    scheduler = Scheduler(application.job_queue, runtime)
    for listener in (runtime.watchers.on_commit, runtime.dispatcher.on_commit, scheduler.on_commit):
        database.after_commit(listener)
    clock_watch = ClockWatch(clock, database, lambda: connection.ahead_by)
    runner = await ingest_server.listen(runtime, inherited)
    return Daemon(runtime, application, bot, queue, scheduler, clock_watch, runner)


def _begin_term(session: Session, reading: Reading) -> int:
    clock_steps.begin(session, reading)
    return posts_bot.begin_term(session, now=reading.now)


async def _read_clock(config: Config, clock: Clock, database: Database) -> Reading:
    """Read the clock. After a reboot, when it may be wrong, compare it with Telegram's too."""
    known, ahead = await database.read(clock_steps.known_boot), None
    if known not in (None, clock.boot_id()) and config.telegram.token is not None:
        way = (config.telegram.base_url, config.telegram.proxy)
        telegram_now = await telegram_time(*way, within=TELEGRAM_TIME_WITHIN)
        ahead = None if telegram_now is None else clock.now() - telegram_now
    return Reading(clock.now(), clock.boot_id(), clock.booted_at, ahead)


@dataclass(frozen=True)
class FetchOptions:
    """How files are fetched. Tests use their own host names and certificates."""

    resolve: Resolve = field(default_factory=SystemResolver)
    tls: ssl.SSLContext | None = None
    may_reach: Callable[[Address], bool] = is_public


def _files(config: Config, under_way: UnderWay, fetch: FetchOptions) -> FileAdmission:
    """Build the file store with its checks. The size limit of Telegram's own server caps the configured one."""
    settings = config.attachments
    is_telegrams_own = config.telegram.base_url.rstrip("/") == TELEGRAM
    max_bytes = min(settings.max_bytes, MAX_DOCUMENT) if is_telegrams_own else settings.max_bytes
    store = FileStore(config.data_dir / "attachments", max_bytes=max_bytes, under_way=under_way)
    scanner = None if settings.scan_command is None else Scanner(settings.scan_command)
    fetcher = Fetcher(store, resolve=fetch.resolve, tls=fetch.tls, may_reach=fetch.may_reach)
    return FileAdmission(store, fetcher, scanner, settings.types)


def _limits(config: Config) -> RateLimits:
    limits = config.telegram.limits
    return rate_limits(
        overall_per_second=limits.overall_per_second,
        chat_per_second=limits.chat_per_second,
        group_per_minute=limits.group_per_minute,
    )


def _runtime(
    config: Config,
    clock: Clock,
    database: Database,
    connection: TelegramConnection,
    sender: TelegramSender,
    files: FileAdmission,
    under_way: UnderWay,
    term: int,
) -> Runtime:
    render_pool = WorkPool("rendering")
    settings = DeliverySettings(
        config.delivery.give_up_after,
        config.delivery.max_parts,
        config.alerts.snooze,
        has_escalation_channel=config.alerts.escalation_channel is not None,
    )
    dispatcher = Dispatcher(
        database,
        clock,
        Calls(sender, files, settings, under_way, render_pool),
        Leader(term, _limits(config)),
        is_away=lambda: connection.is_away,
        on_return=connection.note_return,
    )
    directory = directory_of(config)
    return Runtime(
        config=config,
        directory=directory,
        database=database,
        clock=clock,
        sender=sender,
        telegram=connection,
        batcher=Batcher(database, clock, directory),
        files=files,
        secret_key=secret_key.keep(config.data_dir),
        dispatcher=dispatcher,
        watchers=Watchers(clock),
        job_status=JobStatus(clock.now()),
        templates=Renderer(Templates.read(config.templates).render),
        kept_files=KeptFiles(),
        under_way=under_way,
        render_pool=render_pool,
    )


async def _work(daemon: Daemon) -> None:
    """Bring up Telegram, then delivery and the jobs: presses that waited count before what fell due meanwhile.

    Without Telegram the jobs start anyway after CATCH_UP_WITHIN.
    """
    runtime = daemon.runtime
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_supervise("clock", daemon.clock_watch.run, runtime.clock), name="clock")
        tasks.create_task(_compare_names(runtime), name="names")
        tasks.create_task(_supervise("kept files", runtime.kept_files.watch, runtime.clock), name="kept files")
        if runtime.config.telegram.token is not None:
            connect = partial(runtime.telegram.run, daemon.application, daemon.bot, daemon.queue)
            tasks.create_task(_supervise("telegram", connect, runtime.clock), name="telegram")
            until = runtime.clock.now() + CATCH_UP_WITHIN
            await runtime.clock.wait(runtime.telegram.caught_up, until)
            runtime.dispatcher.start()
            tasks.create_task(command_menu.publish(daemon.bot, runtime.telegram, runtime.clock), name="menus")
            notify = partial(admin_notices.notify_of_connection, runtime)
            tasks.create_task(_supervise("admin notices", notify, runtime.clock), name="admin notices")
        assert daemon.application.job_queue is not None
        await daemon.application.job_queue.start()
        daemon.scheduler.start()
        tasks.create_task(_supervise("scheduler", daemon.scheduler.watch, runtime.clock), name="scheduler")
        if systemd.watchdog_interval() is not None:
            tasks.create_task(_supervise("watchdog", partial(_watchdog, runtime), runtime.clock), name="watchdog")


async def _compare_names(runtime: Runtime) -> None:
    """Look once for names that vanished or came back: the config and the zones change only between two starts."""

    def compare(session: Session) -> None:
        lost_recipients.forget_found(session, runtime.directory)
        unknown_zones.report(session, runtime.config, runtime.directory, now=runtime.clock.now())

    with contextlib.suppress(Unavailable):  # at the next start
        await runtime.database.write(compare)


async def _supervise(name: str, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `work` forever; an unexpected failure is logged, and `work` restarts after a pause."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background task failed, restarting", extra={"action": "part_failed", "part": name})
        await clock.sleep_until(clock.now() + RESTART_AFTER)


async def _watchdog(runtime: Runtime) -> None:
    """Notify systemd while the event loop, the writer and the jobs are alive."""
    every = systemd.watchdog_interval()
    while every is not None:
        with contextlib.suppress(Unavailable):  # an answer too: a restart would not bring a lost disk or file back
            await runtime.database.write(lambda _: None)
        if runtime.job_status.is_moving(runtime.clock.now()):
            systemd.notify("WATCHDOG=1")
        await asyncio.sleep(every.total_seconds())


async def _stop(daemon: Daemon, work: asyncio.Task[None]) -> None:
    runtime = daemon.runtime
    await ingest_server.close(daemon.runner)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    queue = daemon.application.job_queue
    assert queue is not None
    if queue.scheduler.running:
        queue.scheduler.pause()  # a job that fires while the application stops would be lost half-way
    await runtime.dispatcher.stop(within=FINISH_CALLS_WITHIN)
    await runtime.telegram.stop(daemon.application)
    if queue.scheduler.running:  # a stop may come before the jobs have started
        await _stop_jobs(queue)
    await daemon.bot.shutdown()
    runtime.templates.close()
    runtime.render_pool.close()


async def _stop_jobs(queue: JobQueue[Any]) -> None:
    try:
        async with asyncio.timeout(FINISH_CALLS_WITHIN.total_seconds()):
            await queue.stop()  # a run in progress may finish; cancelled, it would be logged as an error
    except TimeoutError:
        await queue.stop(wait=False)
