"""Crash lab: the real daemon in its own process, the sandbox as Telegram, simulated callers and people, and counts."""
