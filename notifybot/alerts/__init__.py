"""Changes of an alert's state, one file per verb, and its escalation policy."""
