"""Formatted text as Telegram handles it: parse modes, entities, and automatic detection."""
