"""Load tests of a daemon: callers that measure, plain servers as a baseline, and figures."""
