"""Database machinery that knows no feature."""
