"""People who pressed /start: linking, preferences, import, management."""
