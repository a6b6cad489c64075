"""Rotations: the arithmetic of shifts, and override rows."""
