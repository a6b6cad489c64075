"""Record the run of a job, tell the admins when a job begins to fail or works again, and put the reason in one line."""

import logging
import re
from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot.errors import NotifybotError, Unavailable
from notifybot.health import job_failures, job_history
from notifybot.health.job_failures import JobNotice
from notifybot.messages.announce import Announcement, announce
from notifybot.model.schedules import JobRun
from notifybot.recipients.address import recipient_of
from notifybot.runtime import Runtime
from notifybot.system.logs import redact

SOURCE = "jobs"
log = logging.getLogger(__name__)


async def record_run(runtime: Runtime, run: JobRun, *, is_broken: bool) -> None:
    """Keep a run in the history, if it tells something there, and tell the admins what they are to know; nothing is
    raised. `is_broken`: the tick itself failed, rather than a row of it."""
    is_kept = job_history.is_worth_keeping(run, runtime.progress.kept_at.get(run.job))
    whole = partial(_record, run=run, is_kept=is_kept, is_broken=is_broken, runtime=runtime)
    history = partial(job_history.keep_run, run=run)  # where telling fails, it is kept all the same
    for work in (whole, history) if is_kept else (whole,):
        try:
            await runtime.database.write(work)
        except Unavailable:
            log.warning("a job's run was not kept", extra={"action": "job_failed", "job": run.job})
            return
        except Exception:
            log.exception("the admins were not told of a job", extra={"action": "job_failed", "job": run.job})
        else:
            if is_kept:
                runtime.progress.kept_at[run.job] = run.started_at
            return


def _record(session: Session, run: JobRun, runtime: Runtime, *, is_kept: bool, is_broken: bool) -> None:
    now = runtime.clock.now()
    if is_kept:
        job_history.keep_run(session, run)
    if is_broken:
        job_failures.note_failure(session, run, now=now)
    news = job_failures.settle(session, run, now=now)
    if news is not None:
        _notify_admins(session, news, runtime, now=now)


def _notify_admins(session: Session, news: JobNotice, runtime: Runtime, *, now: datetime) -> None:
    """Each admin for himself: one who has no chat with the bot yet does not keep it from the others."""
    for admin in runtime.config.admins:
        announcement = Announcement((recipient_of(admin),), SOURCE, news.content, news.title)
        answer = announce(session, announcement, runtime.directory, now=now)
        if isinstance(answer, NotifybotError):
            facts = {"action": "admin_not_told", "admin": admin, "reason": answer.detail}
            log.warning("an admin cannot be told of a job", extra=facts)


MAX_REASON = 300
_DRIVERS_CLASS = re.compile(r"^\([A-Za-z0-9_.]+\) ")
"""SQLAlchemy puts it before what the driver said."""


def reason_of(error: BaseException) -> str:
    """The kind of an error and the first line of what it says; no secrets.

    Where the database failed, that is what the database said, but not the statement and its values, which follow: they
    are texts of messages.
    """
    if isinstance(error, NotifybotError) and error.__cause__ is None:
        return redact(error.detail)
    told = error.__cause__ if isinstance(error, NotifybotError) else error
    kind, words = type(told).__name__, _DRIVERS_CLASS.sub("", str(told).strip())
    return redact(f"{kind}: {words.splitlines()[0]}" if words else kind)[:MAX_REASON]
