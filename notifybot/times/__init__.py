"""Clock, spans, zones, cron, recurrence and occurrences."""
