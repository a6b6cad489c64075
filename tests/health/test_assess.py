"""Health report: the effect of each condition on its status."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifybot.health.assess import HealthFacts, HealthReport, assess
from notifybot.messages.queries import Backlog

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WELL = HealthFacts(now=NOW, is_moving=True, telegram="ok", telegram_reason=None, backlog=Backlog(0, None, 0))
IS_WELL = HealthReport("ok", "ok", "ok", "ok", 0, 0.0, ())  # type: ignore[arg-type]
AWAY = {"telegram": "away", "telegram_reason": "Telegram cannot be reached: timed out"}
DEGRADED = {"status": "degraded"}
BACKLOG = Backlog(3, NOW - timedelta(seconds=90.04), 1)


@pytest.mark.parametrize(
    ("facts", "reported"),
    [
        ({}, {}),
        ({"notes": ("No escalation channel.",)}, {"warnings": ("No escalation channel.",)}),
        ({"backlog": BACKLOG}, {"waiting": 3, "oldest_waiting_s": 90.0}),
        ({"backlog": Backlog(1, NOW + timedelta(seconds=5), 0)}, {"waiting": 1, "oldest_waiting_s": 0.0}),
        (
            {"backlog": replace(BACKLOG, waiting=0, oldest_at=None, without_files=2)},
            {
                "status": "degraded",
                "warnings": (
                    "Uploads to Telegram fail: 2 posts wait for their files. Small calls get through: is there a limit "
                    "or a slow link?",
                ),
            },
        ),
        (AWAY, {"status": "degraded", "telegram": "away", "warnings": (AWAY["telegram_reason"],)}),
        ({"telegram": "off"}, {"status": "degraded", "telegram": "off"}),
        (
            {"telegram": "refused", "telegram_reason": "r"},
            {"status": "degraded", "telegram": "refused", "warnings": ("r",)},
        ),
        (
            {"job_errors": {"close": "boom", "a": "bang"}},
            {
                "status": "degraded",
                "jobs": "failing",
                "warnings": ("Job a is failing: bang", "Job close is failing: boom"),
            },
        ),
        (
            {"put_off": {"close": "puts off x", "a": "puts off y"}, "job_errors": {"close": "boom"}},
            {
                "status": "degraded",
                "jobs": "failing",
                "warnings": ("Job close is failing: boom", "Job a puts off y", "Job close puts off x"),
            },
        ),
        (
            {"hanging": {"close": timedelta(minutes=12, seconds=50)}},
            {
                "status": "degraded",
                "jobs": "failing",
                "warnings": ("Job close has been running for 12 minutes.",),
            },
        ),
        ({"is_moving": False}, {"status": "down", "jobs": "stalled", "warnings": ("No job has run for two minutes.",)}),
        (
            {"backlog": None},
            {"status": "down", "database": "failed", "warnings": ("The database is unusable; see the log.",)},
        ),
        (
            {"is_moving": False, "job_errors": {"a": "b"}, **AWAY, "backlog": None, "notes": ("n",)},
            {
                "status": "down",
                "telegram": "away",
                "database": "failed",
                "jobs": "stalled",
                "warnings": (
                    "n",
                    AWAY["telegram_reason"],
                    "The database is unusable; see the log.",
                    "No job has run for two minutes.",
                    "Job a is failing: b",
                ),
            },
        ),
    ],
)
def test_each_fact_has_its_effect_on_the_report(facts: dict[str, Any], reported: dict[str, Any]) -> None:
    assert assess(replace(WELL, **facts)) == replace(IS_WELL, **reported)
