"""The sandbox's HTTP server: the Bot API, the control API and the chat page."""
