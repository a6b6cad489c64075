"""SQL conditions of the partial indexes, and of the queries that rely on them."""

# What the timed jobs look for. The partial indexes below hold exactly these rows, and the queries repeat the
# same text, for SQLite uses a partial index only where it can see that the query implies its condition. They say which
# states are left out: for those that are meant, SQLite would prefer to look through all messages of each.
MAY_ESCALATE = (
    "escalate_at IS NOT NULL AND steps_left > 0 AND state NOT IN ('scheduled', 'acknowledged', 'closed', 'cancelled')"
)
IS_OPEN = "is_alert AND state NOT IN ('scheduled', 'closed', 'cancelled')"
_WAITS = "state NOT IN ('initiated', 'sent', 'escalated', 'acknowledged', 'closed', 'failed', 'cancelled')"
MAY_BE_RELEASED = f"release_at IS NOT NULL AND {_WAITS}"
IS_NEXT = "schedule_id IS NOT NULL AND state = 'scheduled'"
"""It waits to be the next occurrence of its schedule, which has one at most."""
MAY_REMIND = "remind_at IS NOT NULL AND state NOT IN ('scheduled', 'closed', 'cancelled')"
MAY_EXPIRE = "close_at IS NOT NULL AND may_expire AND state NOT IN ('scheduled', 'closed', 'cancelled')"
IS_DUE = "withdrawn_at IS NULL AND failure IS NULL AND shown_version < version"
IS_IN_TROUBLE = f"errors > 0 AND {IS_DUE}"
HAS_WORK = "next_at IS NOT NULL"
IS_NAMED = "substr(chat_id, 1, 1) = '@'"
"""Its chat is known by @name only, so far."""

IS_PLANNED = "next_at IS NOT NULL"
"""Of a summary plan."""
