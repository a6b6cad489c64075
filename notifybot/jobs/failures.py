"""Record the run of a job, and notify the admins when a job starts to fail or works again."""

import logging
from functools import partial

from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.health import job_failures, job_history
from notifybot.messages.announce import JOBS, Announcement, announce_to_admins
from notifybot.model.schedules import JobRun
from notifybot.runtime import Runtime

log = logging.getLogger(__name__)


async def record_run(runtime: Runtime, run: JobRun, *, is_broken: bool) -> None:
    """Keep a run in the history if it is worth a row, and notify the admins. Raises nothing.

    `is_broken`: the run itself failed, rather than a row of it.
    """
    is_kept = job_history.is_worth_keeping(run, runtime.job_status.kept_at.get(run.job))
    whole = partial(_record, run=run, is_kept=is_kept, is_broken=is_broken, runtime=runtime)
    history = partial(job_history.keep_run, run=run)  # the history is kept even if the notice fails
    for work in (whole, history) if is_kept else (whole,):
        try:
            await runtime.database.write(work)
        except Unavailable:
            log.warning("a job's run was not recorded", extra={"action": "job_run_not_recorded", "job": run.job})
            return
        except Exception:
            log.exception("the admins were not notified of a job", extra={"action": "job_failed", "job": run.job})
        else:
            if is_kept:
                runtime.job_status.kept_at[run.job] = run.started_at
            return


def _record(session: Session, run: JobRun, runtime: Runtime, *, is_kept: bool, is_broken: bool) -> None:
    now = runtime.clock.now()
    if is_kept:
        job_history.keep_run(session, run)
    if is_broken:
        job_failures.note_failure(session, run, now=now)
    notice = job_failures.settle(session, run, now=now)
    if notice is not None:
        announcement = Announcement((), JOBS, notice.content, notice.title)
        announce_to_admins(session, announcement, runtime.directory, now=now)
