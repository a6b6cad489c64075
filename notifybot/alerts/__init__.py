"""Changes of an alert's state, one file a verb, and its escalation policy."""
