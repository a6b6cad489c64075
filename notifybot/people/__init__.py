"""People who pressed /start: linking, preferences, import and upkeep."""
