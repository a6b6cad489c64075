"""Let calls leave one by one, at the bot's rate limit."""

from datetime import timedelta

TOGETHER = timedelta(milliseconds=5)
"""Where more than one call is allowed in so short a time, they leave together: a timer for each would cost more."""
