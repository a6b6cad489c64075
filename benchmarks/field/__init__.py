"""Test bed for trials: the real daemon, a sandbox with faults and limits, and printed figures."""
