"""The event loop's default threads resolve Telegram's name; nothing that a caller can make slow may run on them."""

import re

from tests.project.test_project import PACKAGE

ON_DEFAULT_THREADS = {
    "app.py": 4,  # start and stop
    "demo/demo.py": 1,  # opens the browser
    "files/fetch.py": 1,  # loads certificates, once
    "jobs/retention.py": 2,  # one job, one file at a time
    "storage/database.py": 1,  # stop
    "summaries/compose.py": 1,  # one job, one chart at a time
    "system/kept_files.py": 1,  # the daemon's own files, one at a time
}


def test_only_the_daemons_own_work_runs_on_the_default_threads() -> None:
    found = {
        str(path.relative_to(PACKAGE)): len(re.findall(r"to_thread\(|run_in_executor\(None", path.read_text("utf-8")))
        for path in PACKAGE.rglob("*.py")
    }

    assert {name: count for name, count in found.items() if count} == ON_DEFAULT_THREADS
