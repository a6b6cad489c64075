"""SQL conditions of the partial indexes, shared with the queries that use those indexes.

SQLite uses a partial index only if it can see that the query implies the index's condition, so both take the same text
from here. The states come from the table in model/states.py. Each condition names the states that it excludes: if it
named the included ones, SQLite would rather search messages_by_state and read every message in those states.
"""

from notifybot.model.states import State, Transition, sources


def _allows(transition: Transition) -> str:
    excluded = ", ".join(f"'{state}'" for state in State if state not in sources(transition))
    return f"state NOT IN ({excluded})"


MAY_ESCALATE = f"escalate_at IS NOT NULL AND steps_left > 0 AND {_allows(Transition.ESCALATE)}"
MAY_REMIND = f"remind_at IS NOT NULL AND {_allows(Transition.CLOSE)}"
MAY_EXPIRE = f"close_at IS NOT NULL AND may_expire AND {_allows(Transition.CLOSE)}"
MAY_BE_RELEASED = f"release_at IS NOT NULL AND {_allows(Transition.RELEASE)}"
IS_OPEN = f"is_alert AND {_allows(Transition.CLOSE)}"
"""An alert that can still be closed; it may be acknowledged."""
IS_UNACKNOWLEDGED = f"is_alert AND acknowledged_at IS NULL AND {_allows(Transition.ACKNOWLEDGE)}"
"""An open alert that nobody has acknowledged; in Python: states.can_acknowledge. No index has this condition."""
IS_NEXT = f"schedule_id IS NOT NULL AND state = '{State.SCHEDULED}'"
"""The next occurrence of a schedule; a schedule has at most one."""

IS_DUE = "withdrawn_at IS NULL AND failure IS NULL AND shown_version < version"
"""A post that is out of date in its chat, whenever its time comes (`not_before`)."""
IS_IN_TROUBLE = f"errors > 0 AND {IS_DUE}"
IS_NAMED = "substr(chat_id, 1, 1) = '@'"
"""A chat known only by its @name; its id is not known yet."""
IS_PLANNED = "next_at IS NOT NULL"
"""A summary plan with a next summary."""
