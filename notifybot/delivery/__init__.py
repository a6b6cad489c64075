"""The delivery loop: claim, send, record."""
