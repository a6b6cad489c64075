"""Notify the right people in Telegram, escalate until someone acknowledges, and lose nothing that was accepted."""

__version__ = "0.1.0"
