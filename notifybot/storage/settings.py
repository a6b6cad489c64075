"""Settings that SQLite and PostgreSQL connections share."""

READERS = 2
LOCKED_WITHIN_S = 5.0
"""Time that a write waits for a lock of another program. Only an operator's own program holds one."""
