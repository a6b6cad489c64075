"""Text as Telegram takes it: parse modes, entities, and what it detects by itself."""
