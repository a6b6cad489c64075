"""Scheduled and repeating messages: list, change, release, cancel."""
