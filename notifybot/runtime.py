"""Everything an entry point needs, in one frozen value. The core never sees it."""

from dataclasses import dataclass

from notifybot.clock import Clock
from notifybot.config import Config
from notifybot.database import Database
from notifybot.dispatcher import Dispatcher
from notifybot.file_intake import FileIntake
from notifybot.intake import Intake
from notifybot.progress import Progress
from notifybot.recipients import Directory
from notifybot.secret_key import SecretKey
from notifybot.telegram_link import TelegramLink
from notifybot.telegram_sender import TelegramSender
from notifybot.templates.renderer import Renderer
from notifybot.waiting import Waiters


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
    templates: Renderer
