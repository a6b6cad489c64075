"""State of the local Telegram: chats, people, files, updates, rate limits and faults."""
