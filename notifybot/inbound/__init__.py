"""Formats of other programs, one module each: what a program posted becomes one event. Pure."""
