"""Messages to texts, entities and buttons."""
