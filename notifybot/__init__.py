"""notifybot tells the right people in Telegram, insists until someone answers, and loses nothing it accepted."""

__version__ = "0.1.0"
