"""What callers may say and what the daemon answers; each field is defined once."""
