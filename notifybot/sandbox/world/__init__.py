"""What the local Telegram knows: chats, people, files, updates, limits and faults."""
