"""Who is on call, overrides, and notices when shifts start."""
