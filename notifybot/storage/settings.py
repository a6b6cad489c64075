"""Settings that SQLite and PostgreSQL connections share."""

READERS = 2
LOCKED_WITHIN_S = 5.0
"""So long a write waits while another program holds what it needs; none but an operator's does."""
