"""A laboratory: the real daemon in a process of its own, the sandbox as its Telegram, callers, people, and counts."""
