"""`notifybot demo`: the real daemon with a local Telegram and a chat page."""
