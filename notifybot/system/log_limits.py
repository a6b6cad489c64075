"""Limit on repeated log lines, so that no caller, no broken disk and no library can flood the log."""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

BURST = 100
"""Lines of one kind that are always logged."""
LINES_PER_S = 40.0
"""Of one kind after the burst. More than Telegram's limit on calls, each of which is one line."""
WARNINGS_PER_S = 0.5
"""The same for warnings and errors, which may have long traces."""
MAX_KINDS = 1000
REPORTED_AFTER_S = 30.0
OURS = "notifybot"
log = logging.getLogger(__name__)

Kind = tuple[str, int, str]
"""Logger, level, and our constant text. All lines of a library's logger count together: their texts vary."""


@dataclass
class _Count:
    """`full_at` is the time from which the burst is complete again; `omitted` lines have not been reported yet."""

    full_at: float
    omitted: int = 0


class LineLimit(logging.Filter):
    """Omits lines of a kind that comes too often. The next line of that kind says how many, as `similar_omitted`."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: OrderedDict[Kind, _Count] = OrderedDict()
        self._lock = threading.Lock()
        self._report_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        with self._lock:
            is_logged, reports = self._admit(record, now), self._due_reports(now)
        for (logger, _, text), lines in reports:
            facts = {"action": "log_lines_omitted", "lines": lines, "of_logger": logger, "text": text}
            log.warning("similar log lines were omitted", extra=facts)
        return is_logged

    def _admit(self, record: logging.LogRecord, now: float) -> bool:
        kind = (record.name, record.levelno, str(record.msg)[:100] if record.name.startswith(OURS) else "")
        count = self._counts.setdefault(kind, _Count(now))
        self._counts.move_to_end(kind)
        if len(self._counts) > MAX_KINDS:
            self._counts.popitem(last=False)
        interval = 1 / (WARNINGS_PER_S if record.levelno >= logging.WARNING else LINES_PER_S)
        full_at = max(count.full_at, now) + interval
        if full_at - now > BURST * interval:
            count.omitted += 1
            return False
        count.full_at = full_at
        if count.omitted:
            record.similar_omitted = count.omitted
            count.omitted = 0
        return True

    def _due_reports(self, now: float) -> list[tuple[Kind, int]]:
        """Return the kinds with omitted lines, every REPORTED_AFTER_S: no further line of the kind may come."""
        if now < self._report_at:
            return []
        self._report_at = now + REPORTED_AFTER_S
        found = [(kind, count) for kind, count in self._counts.items() if count.omitted]
        reports = [(kind, count.omitted) for kind, count in found]
        for _, count in found:
            count.omitted = 0
        return reports
