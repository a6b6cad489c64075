"""Logs, systemd, locks and the secret key."""
