"""Chats and the posts in them, with the timeline and the outcomes of calls."""
