"""What stands or should stand in a chat."""
