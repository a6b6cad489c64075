"""The arithmetic of rotations, and override rows."""
