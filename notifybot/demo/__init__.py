"""`notifybot demo`: the real daemon beside the local Telegram, with a chat page."""
