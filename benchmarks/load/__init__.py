"""How much a daemon carries: callers that measure, plain servers to compare with, and figures."""
