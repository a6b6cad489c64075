"""Everything an entry point needs, in one frozen value. The rooms below never see it."""

from dataclasses import dataclass, field

from notifybot.config.model import Config
from notifybot.delivery.dispatcher import Dispatcher
from notifybot.files.admit import FileAdmission
from notifybot.health.job_status import JobStatus
from notifybot.messages.batcher import Batcher
from notifybot.messages.watchers import Watchers
from notifybot.recipients.directory import Directory
from notifybot.storage.database import Database
from notifybot.storage.under_way import UnderWay
from notifybot.system.kept_files import KeptFiles
from notifybot.system.secret_key import SecretKey
from notifybot.system.work_pool import WorkPool
from notifybot.telegram_api.polling import TelegramConnection
from notifybot.telegram_api.sender import TelegramSender
from notifybot.templates.renderer import Renderer
from notifybot.times.clock import Clock


@dataclass(frozen=True)
class Runtime:
    config: Config
    directory: Directory
    database: Database
    clock: Clock
    sender: TelegramSender
    telegram: TelegramConnection
    batcher: Batcher
    files: FileAdmission
    secret_key: SecretKey
    dispatcher: Dispatcher
    watchers: Watchers
    job_status: JobStatus
    templates: Renderer
    kept_files: KeptFiles
    under_way: UnderWay
    render_pool: WorkPool
    start_warnings: list[str] = field(default_factory=list)
    """Found at the start, for /health."""
