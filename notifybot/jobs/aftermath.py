"""What follows a tick: its run is kept, and the admins hear when a job begins to fail, and when it works again."""

import logging
from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot import job_history, job_troubles
from notifybot.announcements import Announcement, announce
from notifybot.errors import NotifybotError, Unavailable
from notifybot.job_troubles import News
from notifybot.recipients import recipient_of
from notifybot.runtime import Runtime
from notifybot.timetable import JobRun

SOURCE = "jobs"
log = logging.getLogger(__name__)


async def keep(runtime: Runtime, run: JobRun, *, is_broken: bool) -> None:
    """Keep a run in the history, if it tells something there, and tell the admins what they are to know; nothing is
    raised. `is_broken`: the tick itself failed, rather than a row of it."""
    is_kept = job_history.is_worth_keeping(run, runtime.progress.kept_at.get(run.job))
    whole = partial(_keep, run=run, is_kept=is_kept, is_broken=is_broken, runtime=runtime)
    history = partial(job_history.keep, run=run)  # where telling fails, it is kept all the same
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


def _keep(session: Session, run: JobRun, runtime: Runtime, *, is_kept: bool, is_broken: bool) -> None:
    now = runtime.clock.now()
    if is_kept:
        job_history.keep(session, run)
    if is_broken:
        job_troubles.note_failure(session, run, now=now)
    news = job_troubles.settle(session, run, now=now)
    if news is not None:
        _tell(session, news, runtime, now=now)


def _tell(session: Session, news: News, runtime: Runtime, *, now: datetime) -> None:
    """Each admin for himself: one who has no chat with the bot yet does not keep it from the others."""
    for admin in runtime.config.admins:
        announcement = Announcement((recipient_of(admin),), SOURCE, news.content, news.title)
        answer = announce(session, announcement, runtime.directory, now=now)
        if isinstance(answer, NotifybotError):
            facts = {"action": "admin_not_told", "admin": admin, "reason": answer.detail}
            log.warning("an admin cannot be told of a job", extra=facts)
