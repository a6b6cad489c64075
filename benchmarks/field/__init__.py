"""A field for trials: the real daemon, a sandbox with faults and limits, messages handed over, and figures printed."""
