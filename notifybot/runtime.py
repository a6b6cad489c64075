"""Everything an entry point needs, in one frozen value. The core never sees it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifybot.clock import Clock
from notifybot.config import Config
from notifybot.database import Database
from notifybot.dispatcher import Dispatcher
from notifybot.file_intake import FileIntake
from notifybot.intake import Intake
from notifybot.recipients import Directory
from notifybot.secret_key import SecretKey
from notifybot.telegram_link import TelegramLink
from notifybot.telegram_sender import TelegramSender
from notifybot.waiting import Waiters

STANDS_STILL_AFTER = timedelta(minutes=2)
"""Jobs beat twice a minute: without one for so long, work stands still."""


@dataclass
class Progress:
    """Signs of life, for /health and the watchdog."""

    started_at: datetime
    jobs_ticked_at: datetime | None = None
    job_errors: dict[str, str] = field(default_factory=dict)
    """Why, for each job whose last tick failed."""

    def is_moving(self, now: datetime) -> bool:
        return now - (self.jobs_ticked_at or self.started_at) <= STANDS_STILL_AFTER


@dataclass(frozen=True)
class Runtime:
    config: Config
    directory: Directory
    database: Database
    clock: Clock
    sender: TelegramSender
    link: TelegramLink
    intake: Intake
    files: FileIntake
    secret_key: SecretKey
    dispatcher: Dispatcher
    waiters: Waiters
    progress: Progress
