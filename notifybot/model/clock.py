"""What is known of the clock, and how each stored time follows a step of it.

When somebody sets the clock (NTP, a machine without a battery, a restored snapshot), waiting that is a **span** must
neither become longer nor shorter: the times that it runs from and to move by the step (`MOVING`, in one transaction;
posts/clock_steps.py). A time that means the **wall clock** never moves, nor does a **record** of what happened.

Every time column of every table is listed in MOVING, in STAYING or in both; tests/model/test_clock.py checks that.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlmodel import Field, SQLModel

from notifybot.model.conditions import IS_OPEN


class KnownClock(SQLModel, table=True):
    """The clock as it was last known, in a single row with id 1."""

    __tablename__ = "clock"

    id: int = Field(default=1, primary_key=True)
    boot_id: str
    booted_at: datetime
    """Time of that boot. Within one boot it changes by exactly the steps of the clock, restarts or not."""
    seen_at: datetime
    """Newest known time, noted every five minutes: after a reboot the clock cannot be behind it."""
    ahead_of_telegram_s: float | None = None
    """How far it was ahead of Telegram's; null if unknown."""
    stepped_at: datetime | None = None
    """Time of the last step worth mentioning, by the clock as set then."""
    step_s: float = 0.0
    """That step."""


class Moving(NamedTuple):
    """Columns of `table` that move by a step, in the rows that meet `condition`. `:before` is the time before it."""

    table: str
    columns: tuple[str, ...]
    condition: str = "1 = 1"


class Staying(StrEnum):
    """Why a time does not move."""

    WALL = "it means the wall clock"
    RECORD = "it says when something happened"
    KNOWN = "it is what is known of the clock"


IS_REGULAR = "repeat LIKE 'every %' AND settled_until IS NOT NULL"
"""A schedule in spans that has begun; a cron expression means the wall clock."""
_OF_REGULAR = f"state = 'scheduled' AND schedule_id IN (SELECT id FROM schedules WHERE {IS_REGULAR})"
_NOT_OF_REGULAR = f"(schedule_id IS NULL OR schedule_id NOT IN (SELECT id FROM schedules WHERE {IS_REGULAR}))"
SLEEPS_BY_THE_CLOCK = "is_snoozed_by_clock AND snoozed_until > :before"
"""An alert snoozed until a time of day: its deadlines count from there."""
IS_UNDER_WAY = f"(({IS_OPEN}) OR state = 'initiated') AND NOT ({SLEEPS_BY_THE_CLOCK})"
"""A message whose times count as spans. They all move, so that the differences between them stay right."""
_WAITS = "shown_version < version AND failure IS NULL AND (errors > 0 OR not_before <= :before)"
"""A post that is due or backs off; one that waits for the end of quiet hours stays."""

MOVING = (
    Moving("bot", ("held_until", "pace", "probe_at")),
    Moving("chats", ("held_until", "pace", "group_pace", "quiet_pace", "claim_until")),
    Moving("turns", ("next_at", "since")),
    Moving("chat_troubles", ("until", "tell_at")),
    Moving("posts", ("not_before",), f"({_WAITS}) OR reply IS NOT NULL"),
    Moving("inbox", ("received_at",)),
    Moving(
        "deliveries", ("shown_at",), f"message_id IN (SELECT id FROM messages WHERE {IS_UNDER_WAY})"
    ),  # before the messages: the condition reads them
    Moving("messages", ("send_at", "release_at", "escalate_at", "close_at", "remind_at"), _OF_REGULAR),
    Moving("messages", ("release_at",), f"state = 'scheduled' AND release_at > send_at AND {_NOT_OF_REGULAR}"),
    Moving(
        "messages",
        (
            *("created_at", "send_at", "sent_at", "escalate_at", "escalated_at", "close_at", "remind_at"),
            *("acknowledged_at", "unacknowledged_at", "repeated_at", "snoozed_until", "counts_from"),
        ),
        IS_UNDER_WAY,
    ),
    Moving("schedules", ("begins_at", "last_at", "settled_until", "skipped_until"), IS_REGULAR),
    Moving("client_ids", ("expires_at",)),
    Moving("dedup_keys", ("bound_until",)),
    Moving("people", ("muted_until",)),
    Moving("link_secrets", ("expires_at",)),
    Moving("link_guesses", ("at",)),
    Moving("job_troubles", ("until", "told_at")),
    Moving("deaths", ("last_at",)),
)
STAYING: dict[str, dict[str, Staying]] = {
    "bot": {"replaced_at": Staying.RECORD},
    "chat_troubles": {"since": Staying.RECORD},
    "posts": {"withdrawn_at": Staying.RECORD, "superseded_at": Staying.RECORD},
    "inbox": {"handled_at": Staying.RECORD},
    "messages": {
        "send_at": Staying.WALL,
        "release_at": Staying.WALL,
        "snoozed_until": Staying.WALL,
        "closed_at": Staying.RECORD,
        "resolved_at": Staying.RECORD,
    },
    "timeline": {"at": Staying.RECORD},
    "schedules": {
        "begins_at": Staying.WALL,
        "settled_until": Staying.WALL,
        "skipped_until": Staying.WALL,
        "last_at": Staying.WALL,
        "created_at": Staying.RECORD,
        "paused_at": Staying.RECORD,
        "ended_at": Staying.RECORD,
    },
    "people": {"created_at": Staying.RECORD, "linked_at": Staying.RECORD},
    "link_secrets": {"used_at": Staying.RECORD},
    "api_tokens": {
        "expires_at": Staying.WALL,
        "created_at": Staying.RECORD,
        "last_used_at": Staying.RECORD,
        "revoked_at": Staying.RECORD,
    },
    "on_call_overrides": {
        "starts_at": Staying.WALL,
        "ends_at": Staying.WALL,
        "created_at": Staying.RECORD,
        "cancelled_at": Staying.RECORD,
    },
    "on_call_turns": {"look_at": Staying.WALL, "since": Staying.RECORD},
    "summary_plans": {"next_at": Staying.WALL, "told_until": Staying.WALL},
    "job_runs": {"started_at": Staying.RECORD},
    "job_troubles": {"since": Staying.RECORD, "last_at": Staying.RECORD},
    "clock": {"booted_at": Staying.KNOWN, "seen_at": Staying.KNOWN, "stepped_at": Staying.KNOWN},
}
