"""Messages that wait for a time or repeat."""
