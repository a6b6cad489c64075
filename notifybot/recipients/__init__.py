"""Which chats a recipient leads to."""
