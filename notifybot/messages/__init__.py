"""A message from acceptance to deletion."""
